import errno
import os
import tracemalloc
from functools import partial

import numpy as np
import pytest

from dummyio import Dim, DType, InputSpec, Nest, TensorSpec
from dummyio.errors import DimError, DTypeError, OptionError, OutputError, SourceError
from dummyio.feeds.save_load import FORMATS, check_output, load_feeds, save_samples
from dummyio.spec.values import PaddingMask, TokenIds

BATCH, SEQUENCE, PAST = Dim("batch_size", 2), Dim("sequence_length", 5), Dim("past_sequence_length", 3, min=0)
KEY = TensorSpec("key", (BATCH, PAST, 4), "float16")


@pytest.fixture
def spec():
    return InputSpec(
        {
            "input_ids": TensorSpec("input_ids", (BATCH, SEQUENCE), "int64", TokenIds(99, mask="attention_mask")),
            "attention_mask": TensorSpec("attention_mask", (BATCH, SEQUENCE), "int32", PaddingMask()),
            "past_key_values": Nest.of("cache", [{"key": KEY, "value": KEY}]),
        }
    )


WITHOUT_STRINGS = {"npz": "a.npz", "npy": "a", "safetensors": "a.safetensors", "onnx-test-data": "test_data_set_0"}


@pytest.fixture(params=WITHOUT_STRINGS.values())
def name(request):
    if request.param == "test_data_set_0":
        pytest.importorskip("onnx")
    return request.param


def _same(loaded, expected):
    assert sorted(loaded) == sorted(expected)
    for path, array in expected.items():
        np.testing.assert_array_equal(loaded[path], array, strict=True)


def test_one_sample(tmp_path, spec, name):
    written = save_samples(spec, tmp_path / name, seed=3, batch_size=4)
    assert written == [tmp_path / name]
    _same(load_feeds(written[0]), spec.feeds(seed=3, batch_size=4))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.npz", ["a.0.npz", "a.1.npz", "a.2.npz"]),
        ("a.b.safetensors", ["a.b.0.safetensors", "a.b.1.safetensors", "a.b.2.safetensors"]),
        ("a", ["a/0", "a/1", "a/2"]),
        ("test_data_set_0", ["test_data_set_0", "test_data_set_1", "test_data_set_2"]),
        ("test_data_set_7", ["test_data_set_7", "test_data_set_8", "test_data_set_9"]),
    ],
)
def test_several_samples(tmp_path, spec, name, expected):
    if name.startswith("test_data"):
        pytest.importorskip("onnx")
    calls = []
    written = save_samples(spec, tmp_path / name, samples=3, progress=lambda: calls.append(1))
    assert written == [tmp_path / path for path in expected]
    assert len(calls) == 3
    for sample, path in enumerate(written):
        _same(load_feeds(path), spec.feeds(sample=sample))


def test_named_format_wins(tmp_path, spec):
    pytest.importorskip("onnx")
    assert save_samples(spec, tmp_path / "model.v1", format="onnx-test-data", samples=2) == [
        tmp_path / "model.v1" / "test_data_set_0",
        tmp_path / "model.v1" / "test_data_set_1",
    ]
    assert save_samples(spec, tmp_path / "bin", format="npz") == [tmp_path / "bin"]
    assert save_samples(spec, tmp_path / "model.v1", format="onnx", force=True) == [
        tmp_path / "model.v1" / "test_data_set_0"
    ]


def test_data_set_stands_beside_the_model(tmp_path, spec):
    pytest.importorskip("onnx")
    (tmp_path / "model.onnx").write_bytes(b"a model")
    save_samples(spec, tmp_path / "test_data_set_0", samples=2)
    save_samples(spec, tmp_path / "test_data_set_1", samples=2, force=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["model.onnx", "test_data_set_0", "test_data_set_1", "test_data_set_2"]


def test_metadata_says_how_to_make_it_again(tmp_path, spec):
    package = pytest.importorskip("safetensors")
    *_, last = save_samples(spec, tmp_path / "a.safetensors", seed=5, samples=2, batch_size=3)
    with package.safe_open(last, framework="np") as file:
        assert file.metadata() == {
            "seed": "5",
            "sample": "1",
            "sizes": '{"batch_size": 3, "sequence_length": 5, "past_sequence_length": 3}',
            "spec_sha256": spec.sha256,
        }


HOLDERS = {dtype: [name for name, kind in FORMATS.items() if dtype in kind.dtypes] for dtype in DType}


@pytest.mark.parametrize("dtype", list(DType))
@pytest.mark.parametrize("name", FORMATS)
def test_dtype_is_kept_or_refused(tmp_path, dtype, name):
    if name == "onnx-test-data":
        pytest.importorskip("onnx")
    spec = InputSpec({"x": TensorSpec("x", (3, 5), dtype)})
    if name in HOLDERS[dtype]:
        (path,) = save_samples(spec, tmp_path / WITHOUT_STRINGS[name], format=None if name != "npy" else "npy")
        _same(load_feeds(path), spec.feeds())
        return
    with pytest.raises(DTypeError, match="cannot store") as caught:
        save_samples(spec, tmp_path / "a", format=name)
    assert all(holder in str(caught.value) for holder in HOLDERS[dtype])
    assert list(tmp_path.iterdir()) == []


def test_error_names_the_formats_that_hold_all_inputs(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", (2,), "bfloat16"), "y": TensorSpec("y", (2,), "string")})
    with pytest.raises(DTypeError, match=r"input 'x' is bfloat16.*Formats that can: onnx-test-data\.$"):
        save_samples(spec, tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("a.pt", {}, OptionError, "no format has the suffix '.pt'.*onnx-test-data"),
        ("a.npz", {"format": "npzz"}, OptionError, "'npz'"),
        ("a.npz", {"samples": 0}, OptionError, "samples=0"),
        ("a.npz", {"batch": 3}, OptionError, "'batch_size'"),
        ("a.npz", {"batch_size": 0}, DimError, "at least 1"),
        ("missing/a.npz", {}, OutputError, "Make its folder first"),
        ("missing/deep/test_data_set_0", {}, OutputError, "Make its folder first"),
    ],
)
def test_wrong_requests_write_nothing(tmp_path, spec, name, options, error, message):
    with pytest.raises(error, match=message):
        save_samples(spec, tmp_path / name, **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "samples"), [("out", 1), ("out", 2), ("test_data_set_0", 1), ("test_data_set_0", 2)])
def test_folders_need_force(tmp_path, spec, name, samples):
    if name.startswith("test"):
        pytest.importorskip("onnx")
    save_samples(spec, tmp_path / name, samples=samples)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    with pytest.raises(OutputError, match="not empty"):
        save_samples(spec, tmp_path / name, samples=samples, seed=1)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == before
    *_, last = save_samples(spec, tmp_path / name, samples=samples, seed=1, force=True)
    _same(load_feeds(last), spec.feeds(seed=1, sample=samples - 1))


def test_force_does_not_take_what_is_not_ours(tmp_path, spec):
    (tmp_path / "home" / "deep").mkdir(parents=True)
    (tmp_path / "home" / "deep" / "thesis.tex").write_bytes(b"years of work")
    for samples in (1, 2):
        with pytest.raises(OutputError, match=r"other files than \.npy \(thesis\.tex\)"):
            save_samples(spec, tmp_path / "home", samples=samples, force=True)
    assert (tmp_path / "home" / "deep" / "thesis.tex").exists()


def test_failure_in_a_later_sample_leaves_no_half(tmp_path, spec):
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_samples(spec, tmp_path / "out", samples=3, progress=stop)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(KeyboardInterrupt):
        save_samples(spec, tmp_path / "a.npz", samples=3, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_error_names_the_path_that_was_asked_for(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    spec = InputSpec({"x": TensorSpec("x", (4,))})
    monkeypatch.setattr("dummyio.feeds.npy.write_array", refuse)
    for samples, name in ((1, "out"), (2, "out/0")):
        with pytest.raises(OutputError) as caught:
            save_samples(spec, tmp_path / "out", samples=samples)
        assert str(caught.value).startswith(f"{tmp_path / name}: cannot be written (No space left on device).")


def test_memory_is_that_of_one_sample(tmp_path):
    spec = InputSpec({"x": TensorSpec("x", (1 << 20,), "float32")})
    save_samples(spec, tmp_path / "warm.npz")
    tracemalloc.start()
    save_samples(spec, tmp_path / "a.safetensors", samples=8)
    save_samples(spec, tmp_path / "a", samples=8)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2.5 * spec.nbytes()


def test_loading_what_is_no_sample(tmp_path, spec):
    save_samples(spec, tmp_path / "out", samples=2)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_bytes(b"")
    for name, message in {
        "out": r"Give one of its folders, such as .*out/0\.",
        "empty": "Give the folder of one sample",
        "a.txt": "are read from",
        "missing.npz": "No such file",
    }.items():
        with pytest.raises(SourceError, match=message):
            load_feeds(tmp_path / name)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize("name", ["a.npz", "a.safetensors"])
def test_files_need_force(tmp_path, spec, name, samples):
    target = tmp_path / (name if samples == 1 else name.replace(".", ".1."))
    target.write_bytes(b"precious")
    for call in (check_output, partial(save_samples, spec)):
        with pytest.raises(OutputError, match="this file exists, and its content would be lost"):
            call(tmp_path / name, samples=samples)
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert target.read_bytes() == b"precious"
    save_samples(spec, tmp_path / name, samples=samples, force=True)
    _same(load_feeds(target), spec.feeds(sample=samples - 1))


def test_a_path_is_needed(tmp_path, spec, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in FORMATS:
        with pytest.raises(OutputError, match="the path is empty"):
            save_samples(spec, "", format=name, force=True)
    with pytest.raises(OutputError, match="this folder is the working folder"):
        save_samples(spec, ".", force=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["a.npz", "a.safetensors", "folder", "folder/x.npy"])
def test_pipes_and_devices_are_not_read(tmp_path, name):
    """Opening a pipe would wait for ever."""
    (tmp_path / "folder").mkdir()
    if name == "folder":
        (tmp_path / name / "x.npy").symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / name)
    with pytest.raises(SourceError, match=r"neither a file nor a folder|this is not a file"):
        load_feeds(tmp_path / name.removesuffix("/x.npy"))
