"""Mutated specs, as JSON text and as structures: each is refused with an error of ours, or can be used like any other."""

from __future__ import annotations

import copy
import json
import random
import re
from pathlib import Path

import pytest

from dummyio.errors import DimError, DummyioError, OptionError, SourceError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import materialize_part
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, DimExpr
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import (
    Choices,
    Constant,
    Grid,
    Labels,
    PaddingMask,
    Positions,
    Rows,
    Run,
    Strings,
    TokenIds,
    Uniform,
)

BATCH, LENGTH, PAST = Dim("batch_size", 2), Dim("sequence_length", 6, max=512), Dim("past", 3, min=0)
LAYER = [(TensorSpec("", (BATCH, 2, PAST, 4)), TensorSpec("", (BATCH, 2, PAST, 4)))] * 2
BERT = InputSpec(
    {
        "input_ids": TensorSpec(
            "", (BATCH, LENGTH), "int64", TokenIds(99, reserved=(0,), mask="attention_mask", last=2)
        ),
        "attention_mask": TensorSpec("", (BATCH, PAST + LENGTH), "int64", PaddingMask("left")),
        "position_ids": TensorSpec("", (LENGTH,), "int64", Positions(start="past")),
        "pixel_values": TensorSpec("", (BATCH, 3, LENGTH * 2, LENGTH // 2 + 1), "float32", Uniform(-1, 1)),
        "texts": TensorSpec("", (BATCH,), "string", Strings()),
        "state": Nest.of("record", {"h": TensorSpec("", (BATCH, 4), "bfloat16")}),
        "past_key_values": Nest.of("cache", LAYER),
    },
    task="fill-mask",
    outputs=(OutputSpec("logits", (BATCH, LENGTH, 99), "float32"), OutputSpec("unknown")),
    provenance={"source": "the tests"},
)
SMALL = InputSpec({"x": TensorSpec("", (Dim("n", 4, multiple_of=2, choices=(2, 4)), 3), "int8", Choices((1, 2)))})
BOXES = InputSpec({"b": [TensorSpec("", (3, 4), "float16", Uniform())], "g": TensorSpec("", (9, 2), "int32", Grid(3))})
TEXTS = [spec.to_json().decode() for spec in (BERT, SMALL, BOXES)]
VALUES = [
    *(
        0,
        1,
        -1,
        2,
        4,
        7,
        100,
        2**31,
        2**53,
        2**62,
        2**63 - 1,
        2**63,
        2**64,
        -(2**63),
        10**18,
        10**30,
        0.5,
        -0.0,
        1e308,
        1e-320,
    ),
    *(
        True,
        False,
        None,
        "",
        "x",
        "n",
        "mask",
        "float32",
        "int4",
        "string",
        "bool",
        "batch_size",
        "attention_mask",
        "texts",
        "\u65e5\u672c",
    ),
    *(
        "batch_size * sequence_length",
        "1 // 0",
        "past // past",
        "-past",
        "(past",
        "a" * 300,
        "..",
        "../x",
        "a/b",
        "nul\0",
        "\u202e",
        "\x1b[2J",
    ),
    *(
        [],
        {},
        [[]],
        [1, 2],
        ["past"],
        {"rule": "uniform"},
        {"rule": "constant", "value": 1},
        {"rule": "strings"},
        {"kind": "tensor"},
    ),
    *(
        "*".join(["(past+batch_size+sequence_length)"] * 30),
        "9" * 5000,
        "past" + "//2" * 30,
        "+".join(["past"] * 900),
        "(" * 500,
    ),
]
TOKENS = [
    *(
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        '"',
        "\\",
        "null",
        "true",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-",
        "9" * 30,
        "9" * 5000,
    ),
    *(
        "\ufeff",
        "\0",
        "\x7f",
        "\u2028",
        "\\ud800",
        "\\u0000",
        "//",
        "/*",
        "'",
        "0x1",
        "01",
        "1.",
        "[" * 2000,
        '{"a":' * 500,
        " " * 1000,
    ),
]


def find_places(part: object, path: tuple = ()) -> list[tuple]:
    """Return the paths of all values in a document."""
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    return [path, *(place for key, item in items for place in find_places(item, (*path, key)))]


def get_value(document, path):
    for key in path:
        document = document[key]
    return document


def mutate_structure(rng: random.Random) -> str:  # noqa: C901 - a case for each mutation
    document = json.loads(rng.choice(TEXTS))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        path = rng.choice([place for place in find_places(document) if place] or [("inputs",)])
        holder, key = get_value(document, path[:-1]), path[-1]
        kind = rng.randrange(9)
        if kind == 0:
            del holder[key]
        elif kind == 1:
            other = json.loads(rng.choice(TEXTS))
            holder[key] = get_value(other, rng.choice(find_places(other)))
        elif kind == 2 and isinstance(holder, list):
            holder[:] = holder * rng.choice([2, 3, 50])
        elif kind == 3:
            holder[key] = [holder[key]] * rng.choice([1, 2, 40])
        elif kind == 4 and isinstance(holder, dict):
            holder[rng.choice(["unknown", "name", "shape", "rule", "", "x\0", "kind"])] = copy.deepcopy(
                rng.choice(VALUES)
            )
        elif kind == 5 and isinstance(holder[key], str):
            text = holder[key]
            place = rng.randint(0, len(text))
            holder[key] = text[:place] + rng.choice([*"*+-/()9 .a\0\n\u202e", "//", "*past", "0" * 4400]) + text[place:]
        elif kind == 6:
            nested: object = holder[key]
            for _ in range(rng.choice([1, 5, 31, 33, 100])):
                nested = {
                    "kind": "nest",
                    "name": "n",
                    "container": rng.choice(["list", "dict", "record", "cache"]),
                    "items": [nested],
                }
            holder[key] = nested
        else:
            holder[key] = copy.deepcopy(rng.choice(VALUES))
        if not document or not isinstance(document, dict):
            break
    return json.dumps(document, ensure_ascii=rng.random() < 0.5)


def mutate_text(rng: random.Random) -> str | bytes:
    text = rng.choice(TEXTS)
    for _ in range(rng.choice([1, 1, 2, 5])):
        place, stop = sorted((rng.randint(0, len(text)), rng.randint(0, len(text))))
        kind = rng.randrange(6)
        if kind == 0:
            text = text[:place] + rng.choice(TOKENS) + text[place:]
        elif kind == 1:
            text = text[:place] + text[min(stop, place + 5) :]
        elif kind == 2:
            text = text[:place]
        elif kind == 3:
            text = text[:place] + text[place:stop] * 2 + text[stop:]
        elif kind == 4:
            other = rng.choice(TEXTS)
            text = text[:place] + other[rng.randint(0, len(other)) :]
        else:
            numbers = [i for i, character in enumerate(text) if character.isdigit()]
            place = rng.choice(numbers) if numbers else 0
            text = (
                text[:place]
                + rng.choice(["9" * 20, "-", "1e5", "0.5", '"', "9" * 4400, "18446744073709551616"])
                + text[place + 1 :]
            )
    if rng.random() < 0.3:
        raw = bytearray(text.encode("utf-8", "surrogatepass"))
        for _ in range(rng.choice([0, 1, 3])):
            if raw:
                raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        return bytes(raw)
    return text


def use_spec(text: str | bytes, rng: random.Random) -> None:
    spec = InputSpec.from_json(text)
    again = InputSpec.from_json(spec.to_json())
    assert again == spec
    assert again.sha256 == spec.sha256
    str(spec)
    spec.dynamic_axes()
    spec.dynamic_shapes()
    spec.nbytes()
    spec.probes()
    for dims in ({}, {name: rng.choice([0, 1, 2, 3, dim.size]) for name, dim in spec.dims.items()}):
        try:
            made = spec.generate(**dims)
        except DummyioError:
            if dims:
                continue
            raise
        assert set(made) == set(spec)
        shapes = spec.shapes(spec.sizes(**dims))
        assert {path: array.shape for path, array in spec.feeds(**dims).items()} == shapes


@pytest.mark.parametrize("mutate", [mutate_structure, mutate_text])
def test_mutated_specs_are_refused_or_can_be_used(mutate, attack, monkeypatch):
    monkeypatch.setenv("DUMMYIO_MEMORY_BUDGET", str(8 << 20))

    def inputs():
        for place in range(attack.count(4000)):
            rng = attack.random(f"{mutate.__name__} {place}")
            yield (attack.seed, place), lambda rng=rng: use_spec(mutate(rng), rng)

    counts = attack.run(inputs())
    assert counts["SpecError"], counts
    assert counts["accepted"], counts


ENDLESS = __import__("itertools").count
LIST: list = []
LIST.append(LIST)
WRONG = [None, 5, 1.5, True, "", "x", b"x", (), [], {}, object(), float("nan"), 10**5000, "9" * 5000, "\ud800", "a\0b", [None], {"a": 1}, (5,), [("a",)], LIST, float, lambda: 1, 1j]  # fmt: skip
MAKERS = {
    "Dim.name": lambda value: Dim(value, 2),
    "Dim.size": lambda value: Dim("n", value),
    "Dim.min": lambda value: Dim("n", 2, min=value),
    "Dim.max": lambda value: Dim("n", 2, max=value),
    "Dim.multiple_of": lambda value: Dim("n", 2, multiple_of=value),
    "Dim.choices": lambda value: Dim("n", 2, choices=value),
    "Dim + value": lambda value: Dim("n", 2) + value,
    "Dim * value": lambda value: Dim("n", 2) * value,
    "Dim // value": lambda value: Dim("n", 2) // value,
    "DimExpr": DimExpr,
    "DimExpr of terms": lambda value: DimExpr(((value, value),)),
    "TensorSpec.name": lambda value: InputSpec({"x": TensorSpec(value, (2,))}),
    "TensorSpec.shape": lambda value: TensorSpec("x", value),
    "TensorSpec.shape of one": lambda value: TensorSpec("x", (value,)),
    "TensorSpec.dtype": lambda value: TensorSpec("x", (2,), value),
    "TensorSpec.values": lambda value: TensorSpec("x", (2,), "float32", value),
    "TensorSpec.sizes": lambda value: TensorSpec("x", (Dim("n", 2),)).sizes({"n": value}),
    "Nest.kind": lambda value: Nest(value, ()),
    "Nest.items": lambda value: Nest("dict", value),
    "Nest.of": lambda value: Nest.of("list", value),
    "InputSpec.inputs": InputSpec,
    "InputSpec.name": lambda value: InputSpec({value if value.__hash__ else "a": TensorSpec("x", (2,))}),
    "InputSpec.node": lambda value: InputSpec({"x": value}),
    "InputSpec.task": lambda value: InputSpec({}, task=value),
    "InputSpec.outputs": lambda value: InputSpec({}, outputs=value),
    "InputSpec.provenance": lambda value: InputSpec({}, provenance=value),
    "InputSpec.provenance of one": lambda value: InputSpec({}, provenance={"a": value}),
    "OutputSpec.name": OutputSpec,
    "OutputSpec.shape": lambda value: OutputSpec("x", value),
    "OutputSpec.dtype": lambda value: OutputSpec("x", (2,), value),
    "with_dims": lambda value: SMALL.with_dims(n=value),
    "sizes": lambda value: SMALL.sizes(n=value),
    "sizes of another dim": lambda value: SMALL.sizes(m=value),
    "shapes": lambda value: SMALL.shapes({"n": value}),
    "shapes of": SMALL.shapes,
    "generate": lambda value: SMALL.generate(n=value),
    "seed": lambda value: SMALL.generate(seed=value),
    "sample": lambda value: SMALL.generate(sample=value),
    "framework": SMALL.generate,
    "samples": SMALL.samples,
    "start": lambda value: SMALL.samples(1, start=value),
    "from_json": InputSpec.from_json,
    "load": lambda value: InputSpec.load(value) if not isinstance(value, (str, bytes, int)) else SMALL.sizes(n=4),
    **{
        f"{rule.__name__}.{field}": lambda value, rule=rule, field=field, needed=needed: TensorSpec(
            "x", (2, 4), "string" if rule is Strings else "int64", rule(**{**needed, field: value})
        )
        for rule, needed in ((Uniform, {}), (PaddingMask, {}), (Positions, {}), (TokenIds, {"high": 9}), (Labels, {"high": 9}), (Choices, {"options": (1,)}), (Constant, {}), (Grid, {"columns": 2}), (Rows, {"values": (1,)}), (Strings, {}))
        for field in rule.__struct_fields__
    },
    "index": lambda value: materialize_part(SMALL, "x", value),
    "index of one": lambda value: materialize_part(SMALL, "x", [slice(value)]),
    "step": lambda value: materialize_part(SMALL, "x", [slice(None, None, value)]),
    "path": lambda value: materialize_part(SMALL, value if value.__hash__ else "y", []),
    "Run.start": lambda value: TensorSpec("x", (2, 4), "int64", TokenIds(9, runs=(Run(1, value),))),
    "Run": lambda value: TensorSpec("x", (2, 4), "int64", TokenIds(9, runs=(value,))),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKERS)
def test_arguments_of_a_wrong_type_are_refused(name, attack):
    attack.run((f"{name} {type(value).__name__}", lambda value=value: MAKERS[name](value)) for value in WRONG)


@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        (lambda: Dim("n", 2, choices=ENDLESS()), DimError, "must be a tuple of ints"),
        (lambda: TensorSpec("x", ENDLESS()), SpecError, "at most 32 sizes"),
        (lambda: Nest.of("list", (TensorSpec("", ()) for _ in ENDLESS())), SpecError, "at most 32768"),
        (lambda: Nest.of("cache", [(TensorSpec("", ()),) * 2] * 10**6), SpecError, "at most 32768"),
        (lambda: InputSpec({"x": [[TensorSpec("", ())] * 10_000] * 10_000}), SpecError, "more than 32768 tensors"),
        (lambda: InputSpec({"x": LIST}), SpecError, "33 containers inside each other"),
        (lambda: InputSpec({"x" * 300: TensorSpec("", ())}), SpecError, "at most 255 bytes, this one 300"),
        (lambda: InputSpec({"a\0b": TensorSpec("", ())}), SpecError, "must not contain NUL"),
        (lambda: InputSpec({"a/../b": TensorSpec("", ())}), SpecError, "would leave the folder"),
        (lambda: InputSpec({"a\\..": TensorSpec("", ())}), SpecError, "would leave the folder"),
        (lambda: SMALL.sizes(n=10**5000), DimError, "at most 9223372036854775807"),
        (lambda: SMALL.with_dims(n="4"), DimError, "a size must be an int"),
        (lambda: SMALL.with_dims(m=4), OptionError, "no dim of this spec"),
        (lambda: parse_size("9" * 4000, {}), DimError, "below 2\\^63"),
        (lambda: parse_size("9" * 5000, {}), DimError, "write names"),
        (lambda: parse_size("-" * 5000 + "1", {}), DimError, "the limit is 2048"),
        (lambda: InputSpec.load("a\0b"), SourceError, "not the path of a file"),
        (lambda: InputSpec.load(None), SourceError, "not the path of a file"),
        (lambda: InputSpec.from_json("[" * 100_000), SpecError, "not a valid spec"),
        (lambda: InputSpec.from_json("\ufeff" + TEXTS[0]), SpecError, "not a valid spec"),
        (lambda: InputSpec.from_json(TEXTS[0].replace("99", "NaN")), SpecError, "not a valid spec"),
    ],
)
def test_bounds_are_stated(make, error, reason, attack):
    caught = []

    def record():
        try:
            make()
        except DummyioError as found:
            caught.append(found)

    attack.run([(reason, record)])
    assert [type(found) for found in caught] == [error]
    assert re.search(reason, str(caught[0]))


@pytest.mark.parametrize(
    "grow",
    [
        lambda x: (x * x + 1) // 2,
        lambda x: (x + Dim("b", 2)) * (x + Dim("c", 3)) // 5,
        lambda x: (x // 2 + x // 3) * (x // 5 + x // 7) + x,
        lambda x: x // (x + 1),
        lambda x: x * x - x,
        lambda x: (x + 1) // (Dim("b", 2) + 1) + x,
    ],
)
def test_expressions_stop_growing(grow, attack):
    def build():
        size = Dim("a", 2) + 1
        for _ in range(1000):
            size = grow(size)

    counts = attack.run([("grow", build)])
    assert counts == {"DimError": 1}


def random_expression(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.1:
        return rng.choice(["a", "b", "c", "d", "2", "3", "7", "9" * 18])
    left, right = random_expression(rng, depth - 1), random_expression(rng, depth - 1)
    return f"({left}{rng.choice(['+', '*', '*', '-', '//'])}{right})"


def test_random_expressions_are_read_at_once(attack):
    dims = {name: Dim(name, 3) for name in "abcd"}
    rng = attack.random("expressions")
    texts = [random_expression(rng, rng.choice([2, 4, 6, 8])) for _ in range(attack.count(1000))]
    attack.run(
        (text, lambda text=text: TensorSpec("x", (parse_size(text, dims),)).sizes({"a": 2**62})) for text in texts
    )


def test_saved_specs_of_earlier_versions_are_read():
    files = sorted((Path(__file__).parents[1] / "data" / "saved").rglob("*.json"))
    assert files
    for file in files:
        if b'"dummyio"' in file.read_bytes()[:2000]:
            InputSpec.load(file)
