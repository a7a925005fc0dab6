"""Damaged TFLite files: LiteRT follows numbers in a file without a check, and ends the process."""

import struct
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
pytest.importorskip("ai_edge_litert")

import flatbuffers
import keras
from ai_edge_litert import schema_py_generated as schema
from damaged_bytes import damage_bytes
from tf_models import made

import dummyio

NUMBERS = (0, 1, -1, -2, 2, 7, 127, 128, -128, 255, 1000, 65536, 2**31 - 1, -(2**31))
FLOATS = (0.0, -1.0, 1e38, float("nan"), float("inf"))
TEXTS = (
    b"",
    b"x",
    b"\0",
    b"a\0b",
    b"\xff\xfe",
    b"x" * 5000,
    "é\u202e".encode(),
    b"serving_default",
    b"../..",
    b"a.b:0",
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Sound files: two signatures, an image, integers with scales, tables."""
    folder = tmp_path_factory.mktemp("sound")
    functional, sequential, module = (made(name) for name in ("functional", "sequential", "module"))
    words = keras.Sequential([keras.Input((None,), dtype="int32"), keras.layers.Embedding(9, 3), keras.layers.Dense(2)])
    exports = [
        (*functional, {"buckets": {"sequence_length": (4, 9)}}),
        (*sequential, {}),
        (*sequential, {"quantize": "int8", "int8_io": True}),
        (*module, {}),
        (words, dummyio.describe(words), {"quantize": "float16"}),
    ]
    paths = [
        dummyio.export(model, folder / f"{number}.tflite", spec=spec, **options).path
        for number, (model, spec, options) in enumerate(exports)
    ]
    for path in paths:
        dummyio.describe(path)
        dummyio.open_runner(path)
    return [path.read_bytes() for path in paths]


def damage_structure(random, blobs):
    """Return a file whose flatbuffer is sound and whose numbers, texts and lists are not."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(random.choice(blobs), 0))
    for _ in range(random.choice((1, 1, 2, 4))):
        by_class: dict[type, list[object]] = {}
        for part in list_parts(model):
            by_class.setdefault(type(part), []).append(part)
        part = random.choice(by_class[random.choice(list(by_class))])
        if vars(part):
            field = random.choice(list(vars(part)))
            setattr(part, field, damage_value(random, getattr(part, field)))
    builder = flatbuffers.Builder(1024)
    try:
        builder.Finish(model.Pack(builder), b"TFL3")
    except (TypeError, ValueError, AttributeError, OverflowError, struct.error):  # its field does not hold the value
        return damage_bytes(random, blobs)
    return bytes(builder.Output())


def list_parts(part) -> Iterator[object]:
    for value in part if isinstance(part, list) else [part]:
        if hasattr(value, "__dict__") and not isinstance(value, np.ndarray):
            yield value
            for inner in vars(value).values():
                yield from list_parts(inner)


def damage_value(random, value):
    if isinstance(value, (list, np.ndarray)):
        return damage_list(random, list(value))
    for kind, choices in (((float, np.floating), FLOATS), ((int, np.integer), NUMBERS), ((bytes, str), TEXTS)):
        if isinstance(value, kind):
            return random.choice(choices)
    return None


def damage_list(random, values):
    place = random.randrange(len(values) + 1)
    kind = random.randrange(5)
    if kind == 4 and values and isinstance(values[0], (int, float, np.number)):
        values[place % len(values)] = damage_value(random, values[0])
        return values
    return (values[:place], [], values * random.choice((2, 40)), random.sample(values, len(values)), values[1:])[kind]


@pytest.mark.slow
def test_damaged_tflite_files(attack, files, tmp_path):
    random = attack.random("tflite")

    def inputs():
        for number in range(attack.count(1000)):
            damage = random.choice((damage_bytes, damage_structure))
            path = tmp_path / f"{number}.tflite"
            path.write_bytes(damage(random, files))
            yield f"describe {number}", partial(dummyio.describe, path)
            yield f"open {number}", partial(dummyio.open_runner, path)
            path.unlink()

    counts = attack.run(inputs())
    assert counts["SourceError"], "no file was damaged"
    assert counts["accepted"], "every file was refused"
