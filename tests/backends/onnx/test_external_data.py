"""Everything in a model that can name a file is checked before a runtime opens it."""

import os

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper

from dummyio import open_runner
from dummyio.errors import SourceError
from dummyio_onnx.description import describe

ENGINES = ["onnxruntime", "reference"]


def product(*entries, location=TensorProto.EXTERNAL):
    """Return the model ``x @ w``, with these entries for the external data of ``w``."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", size]) for name, size in (("x", 4), ("y", 2)))
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 2], data_location=location)
    for key, value in entries:
        weight.external_data.add(key=key, value=value)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "graph", [x], [y], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a model, with its weights, and next to it a file that no model may read."""
    made = tmp_path / "model"
    made.mkdir()
    (made / "w").write_bytes(np.arange(8, dtype=np.float32).tobytes())
    (tmp_path / "secret").write_bytes(bytes(32))
    return made


def save(folder, model):
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def refuse(path, message):
    with pytest.raises(SourceError, match=message):
        describe(path)
    for engine in ENGINES:
        with pytest.raises(SourceError, match=message):
            open_runner(path, engine=engine)


def _find_places(message, outer=()):
    """Yield the fields that lead to each tensor of the format; a message may be in one of its own type once."""
    for field in message.fields:
        kind = field.message_type
        if kind is TensorProto.DESCRIPTOR:
            yield (*outer, field)
        elif kind is not None and sum(known.message_type is kind for known in outer) < 2:
            yield from _find_places(kind, (*outer, field))


PLACES = list(_find_places(onnx.ModelProto.DESCRIPTOR))


def test_the_format_has_many_places_for_tensors():
    names = {".".join(field.name for field in place) for place in PLACES}
    assert len(names) > 100
    assert {"graph.initializer", "functions.attribute_proto.g.sparse_initializer.indices"} <= names
    assert "training_info.algorithm.node.attribute.sparse_tensors.values" in names


def test_tensors_are_checked_in_every_place(folder):
    """Each place alone: with an operation in a graph or without, other contents or none."""
    for place in PLACES:
        model = product(("location", "w"))
        inside = model
        for field in place:
            inside = getattr(inside, field.name)
            if field.is_repeated:
                inside = inside.add()
        inside.data_location = TensorProto.EXTERNAL
        inside.external_data.add(key="location", value="../secret")
        refuse(save(folder, model), r"'\.\./secret', which is not in the model's folder")
        with pytest.raises(SourceError, match="not in the model's folder"):
            describe(model)


LOCATIONS = (
    *("", ".", "./", "/etc/passwd", "../secret", "a/../../secret", "a/../w", "w\0", "\0", "C:\\secret", "C:secret"),
    *(
        "\\\\host\\share",
        "\\secret",
        "a\\..\\..\\secret",
        "/dev/zero",
        "link",
        "up/secret",
        "up",
        "loop",
        "device",
        "pipe",
    ),
    *("inside", "*/_ORT_MEM_ADDR_/*", "x" * 5000),
)


@pytest.mark.parametrize("location", LOCATIONS, ids=ascii)
@pytest.mark.parametrize("order", ["alone", "first", "last"])
def test_locations(folder, location, order):
    (folder / "link").symlink_to("../secret")
    (folder / "up").symlink_to("..")
    (folder / "loop").symlink_to("loop")
    (folder / "device").symlink_to("/dev/zero")
    (folder / "inside").mkdir()
    os.mkfifo(folder / "pipe")
    right = ("location", "w")
    entries = {"alone": [], "first": [right], "last": [right]}[order]
    entries.insert(0 if order == "first" else len(entries), ("location", location))
    path = save(folder, product(*entries))
    if len(location) > 255:  # a name that no file has is only missed when it is opened
        assert list(describe(path)) == ["x"]
        with pytest.raises(SourceError, match="cannot be read"):
            open_runner(path)
        return
    refuse(path, "not in the model's folder|not a regular file")


def test_names_of_files_need_not_be_text(folder):
    model = product(("location", "w"))
    data = model.SerializeToString().replace(b"\x12\x01w", b"\x12\x01\xff")
    path = folder / "model.onnx"
    path.write_bytes(data)
    (folder / os.fsdecode(b"\xff")).symlink_to("../secret")
    refuse(path, "not in the model's folder")


def test_what_names_a_file_is_checked_whatever_the_tensor_declares(folder):
    model = product(("location", "../secret"), location=TensorProto.DEFAULT)
    refuse(save(folder, model), "not in the model's folder")
    data = product(("location", "../secret")).SerializeToString()
    assert data.count(b"\x70\x01") == 1  # data_location
    for value in (b"\x70\x00", b"\x70\x07"):
        (folder / "model.onnx").write_bytes(data.replace(b"\x70\x01", value))
        refuse(folder / "model.onnx", "not in the model's folder")


@pytest.mark.parametrize("key", ["offset", "length"])
@pytest.mark.parametrize("text", ["-1", "x", "", "1.5", "0x10", " 1", "1_0", "٣", str(1 << 63), "9" * 5000])
def test_numbers(folder, key, text):
    path = save(folder, product(("location", "w"), ("length", "32"), (key, text)))
    refuse(path, f"the {key} of the data of 'w' is .*must be a number")


def test_data_is_as_long_as_declared_when_a_runtime_opens_it(folder):
    for entries in (
        [("offset", "1")],
        [("length", "33")],
        [("offset", str(1 << 62))],
        [("offset", "0"), ("offset", "8")],
    ):
        path = save(folder, product(("location", "w"), ("length", "32"), *entries))
        assert list(describe(path)) == ["x"]
        for engine in ENGINES:
            with pytest.raises(SourceError, match=r"declared to end at byte .* of a file of 32 bytes"):
                open_runner(path, engine=engine)
    (folder / "w").unlink()
    assert list(describe(path)) == ["x"]
    for engine in ENGINES:
        with pytest.raises(SourceError, match="'w', which cannot be read"):
            open_runner(path, engine=engine)


@pytest.mark.parametrize("engine", ENGINES)
def test_sound_data_is_read(folder, engine):
    path = save(folder, product(("location", "w"), ("offset", "0"), ("length", "32")))
    found = open_runner(path, engine=engine)({"x": np.ones((1, 4), np.float32)})
    assert found["y"].tolist() == [[12, 16]]


def test_a_model_in_memory_has_no_folder(folder, monkeypatch):
    monkeypatch.chdir(folder)  # a runtime would take the file from there
    model = product(("location", "w"))
    assert list(describe(model)) == ["x"]
    for engine in ENGINES:
        with pytest.raises(SourceError, match="a model in memory has no folder"):
            open_runner(model, engine=engine)


@pytest.mark.parametrize("where", ["graph", "function"])
@pytest.mark.parametrize("mode", [0, 2, None, 1])
def test_compiled_parts_of_a_model(folder, where, mode):
    """``EPContext`` names a file unless its mode is 1, which is the default."""
    model = product(("location", "w"))
    attributes = {"ep_cache_context": "../secret"} | ({} if mode is None else {"embed_mode": mode})
    node = helper.make_node("EPContext", ["x"], ["z"], domain="com.microsoft", **attributes)
    holder = model.graph if where == "graph" else model.functions.add(name="f", domain="f")
    holder.node.append(node)
    path = save(folder, model)
    if mode in (None, 1):
        assert list(describe(path)) == ["x"]
    else:
        refuse(path, r"'\.\./secret', which is not in the model's folder")


def test_a_model_is_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "model.onnx")
    refuse(tmp_path / "model.onnx", "not a regular file")
    (tmp_path / "zero.onnx").symlink_to("/dev/zero")
    refuse(tmp_path / "zero.onnx", "not a regular file")
