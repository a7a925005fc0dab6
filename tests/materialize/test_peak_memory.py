"""The peak memory of every rule, in dtypes of each kind and width: at most 1.1 times the result and 64 MiB, whole and in parts."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")]

CODE = """
import gc, json, sys
import numpy as np
from dummyio import InputSpec, TensorSpec, materialize_part
from dummyio.errors import SpecError
from dummyio.spec.values import *

ROWS = {"wide": (2, 1 << 23), "long": (1 << 23, 2), "boxes": (1 << 22, 4)}
DTYPES = "float32 bfloat16 int4 int64 bool complex128 string".split()
RULES = {
    "Uniform": [Uniform(0, 1), Uniform(0, 2)], "Normal": [Normal()], "Constant": [Constant(1)], "Range": [Range(0, 0)],
    "Positions": [Positions(), Positions(mask="mask")], "Grid": [Grid(2)], "PaddingMask": [PaddingMask(), PaddingMask("left")],
    "TokenIds": [TokenIds(2), TokenIds(4, reserved=(1,), mask="mask", first=1, last=1, runs=(Run(1, 0, 1),))],
    "Labels": [Labels(2, ignored=0.5, ignore_index=1), Labels(2, mask="mask", ignore_index=1)],
    "Choices": [Choices((0, 1)), Choices(("left", "right"))], "OneHot": [OneHot()], "Rows": [Rows((0, 1))],
    "Boxes": [Boxes(0, 1), Boxes(0, 2)], "Strings": [Strings()],
}
MASKS = [PaddingMask("left"), Uniform(0, 2)]

def read(key):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(key))

def measure(make):
    gc.collect()
    before = read("VmRSS")
    open("/proc/self/clear_refs", "w").write("5")
    made = make()
    grown = read("VmHWM") - before
    size = sum(array.nbytes for array in made)
    for array in made:
        if array.dtype == object:
            size += sum(map(sys.getsizeof, {id(text): text for text in array.flat}.values()))
    return grown, size

def make_spec(rule, dtype, shape, mask):
    inputs = {"x": TensorSpec("", shape, dtype, rule)}
    if getattr(rule, "mask", None):
        inputs["mask"] = TensorSpec("", (*shape[:-1], shape[-1] + 3), "int8", mask)
    spec = InputSpec(inputs)
    spec.shapes()
    return spec

found = []
(rule,) = sys.argv[1:]
for one in RULES[rule]:
    for mask in MASKS if getattr(one, "mask", None) else MASKS[:1]:
        for dtype in DTYPES:
            for name, shape in ROWS.items():
                texts = dtype == "string" and rule != "Choices"
                try:
                    spec = make_spec(one, dtype, (1 << 10, 1 << 10) if texts else shape, mask)
                except SpecError:
                    continue
                what = f"{one!r} {dtype} {name} {mask!r}"
                found.append((f"{what} whole", *measure(lambda: [*spec.feeds().values()])))
                part = [slice(1, None), slice(0 if name == "boxes" else 1, None)]
                found.append((f"{what} part", *measure(lambda: [materialize_part(spec, "x", part)])))
                break  # one shape for each dtype, another for the next
            ROWS = {**{n: s for n, s in ROWS.items() if n != name}, name: shape}
print(json.dumps(found))
"""
RULES = (
    *("Uniform", "Normal", "Constant", "Range", "Positions", "Grid", "PaddingMask", "TokenIds", "Labels", "Choices"),
    *("OneHot", "Rows", "Boxes", "Strings"),
)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_takes_hardly_more_memory_than_its_result(rule):
    done = subprocess.run([sys.executable, "-c", CODE, rule], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found
    too_much = [
        f"{what}: {grown >> 20} MiB for {size >> 20} MiB"
        for what, grown, size in found
        if grown > 1.1 * size + (64 << 20)
    ]
    assert not too_much, "\n".join(too_much)
