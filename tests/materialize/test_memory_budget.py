"""What does not fit is refused before anything is allocated."""

import os
import subprocess
import sys
import time
import tracemalloc

import psutil
import pytest

from dummyio.errors import MemoryBudgetError, OptionError
from dummyio.input_spec import InputSpec
from dummyio.materialize import generate as generate_module
from dummyio.materialize.generate import load_backend, materialize_part
from dummyio.materialize.memory_budget import SHARE, VARIABLE, check_budget, count_bytes
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import PaddingMask, Positions, Strings, TokenIds, Uniform

MIB = 1 << 20


@pytest.fixture
def terabyte():
    """The cache of a large model over a long past: about a terabyte."""
    batch, past = Dim("batch_size", 64), Dim("past_sequence_length", 131_072)
    layer = [TensorSpec("", (batch, 8, past, 128), "bfloat16")] * 2
    ids = TensorSpec("", (batch, 1), "int64", TokenIds(128_256, mask="attention_mask"))
    mask = TensorSpec("", (batch, past + 1), "int64", PaddingMask("left"))
    return InputSpec({"input_ids": ids, "attention_mask": mask, "past_key_values": Nest.of("cache", [layer] * 32)})


def test_what_is_too_large_can_be_described_but_not_made(terabyte):
    tracemalloc.start()
    start = time.process_time()
    assert terabyte.nbytes() > 1 << 40
    assert len(terabyte.sha256) == 64
    assert InputSpec.from_json(terabyte.to_json()) == terabyte
    assert terabyte.dynamic_axes()["past_key_values.31.1"] == {0: "batch_size", 2: "past_sequence_length"}
    assert terabyte.abstract("np")["past_key_values"][31][1].shape == (64, 8, 131_072, 128)
    assert terabyte.probes()
    for call in (terabyte.generate, terabyte.feeds, lambda: terabyte.samples(1)):
        with pytest.raises(
            MemoryBudgetError, match=r"one sample of input_ids, .* needs 1\.0 TiB, the budget is .*% of the free"
        ):
            call()
    assert time.process_time() - start < 10
    assert tracemalloc.get_traced_memory()[1] < 20 * MIB
    tracemalloc.stop()


def test_what_is_too_large_can_be_made_in_parts_and_in_smaller_sizes(terabyte):
    part = materialize_part(terabyte, "past_key_values.31.1", [slice(63, None), slice(1), slice(1000, 1010)])
    assert part.shape == (1, 1, 10, 128)
    assert terabyte.generate(batch_size=1, past_sequence_length=4)["past_key_values"][0][0].shape == (1, 8, 4, 128)


def test_a_part_has_a_budget_too(terabyte):
    with pytest.raises(MemoryBudgetError, match=r"a part of past_key_values.0.0 needs"):
        materialize_part(terabyte, "past_key_values.0.0", [])


def make_positions(rule):
    length = Dim("length", 1 << 32)
    inputs = {
        "mask": TensorSpec("", (2, length), "bool", rule),
        "positions": TensorSpec("", (2, length), "int64", Positions(mask="mask")),
        "ids": TensorSpec("", (2, length), "int64", TokenIds(9, mask="mask", last=2, pad=8)),
    }
    return InputSpec(inputs)


def test_a_part_that_follows_a_padding_mask_needs_no_row_of_it():
    spec = make_positions(PaddingMask("left", least=1 << 31))
    last = (1 << 32) - 3
    tracemalloc.start()
    made = materialize_part(spec, "positions", [slice(None), slice(last, None)])
    ids = materialize_part(spec, "ids", [slice(None), slice(last, None)])
    assert tracemalloc.get_traced_memory()[1] < MIB
    tracemalloc.stop()
    assert made[0].tolist() == [last, last + 1, last + 2]
    assert (made[1] >= (1 << 31) - 4).all()
    assert ids[:, -1].tolist() == [2, 2]


def test_a_part_that_needs_whole_rows_of_its_mask_has_their_budget(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(1 << 30))
    with pytest.raises(MemoryBudgetError, match="a part of mask needs"):
        materialize_part(make_positions(Uniform(0, 2)), "positions", [slice(1), slice((1 << 32) - 10, None)])


def measure_text_bytes(values):
    return values.nbytes + sum(map(sys.getsizeof, {id(text): text for text in values.flat}.values()))


@pytest.mark.parametrize("count", [1, 10, 5000])
@pytest.mark.parametrize(
    "rule",
    [
        Strings(),
        Strings(("x" * 1000,), 0, 3),
        Strings(("\u00e9", "\u65e5\u672c"), 5, 50),
        Strings(("\U0001f600", ""), 1, 2),
    ],
    ids=repr,
)
def test_texts_count_with_their_characters(rule, count):
    leaf = TensorSpec("", (count,), "string", rule)
    taken = measure_text_bytes(InputSpec({"x": leaf}).feeds()["x"])
    counted = count_bytes(leaf, count)
    assert taken <= counted
    if count == 5000 and len(rule.words) > 2:
        assert counted <= 1.3 * taken


def test_long_texts_are_refused_before_they_are_made(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(MIB))
    spec = InputSpec({"x": TensorSpec("", (1000,), "string", Strings(("word",) * 3, 60_000, 65_536))})
    for call in (spec.feeds, spec.generate, lambda: spec.samples(1), lambda: materialize_part(spec, "x", [])):
        with pytest.raises(MemoryBudgetError, match=r"needs \d+\.\d MiB"):
            call()
    assert materialize_part(spec, "x", [slice(1)])[0].startswith("word word")


class Copying:
    """A framework whose tensors are copies."""

    name, flat, cache = "copying", False, staticmethod(list)
    dtypes, from_numpy, to_numpy, is_tensor, abstract = (
        {},
        staticmethod(lambda values, *_: values.copy()),
        None,
        None,
        None,
    )


def test_a_copy_for_a_framework_counts(monkeypatch):
    spec = InputSpec({"x": TensorSpec("", (100,), "uint8"), "y": TensorSpec("", (50,), "uint8")})
    monkeypatch.setattr(
        generate_module, "load_backend", lambda name: Copying if name == "copying" else load_backend(name)
    )
    monkeypatch.setenv(VARIABLE, "349")
    assert spec.generate("np")
    with pytest.raises(MemoryBudgetError, match="one sample of x, y needs 350 bytes"):
        InputSpec(spec).generate("copying")
    monkeypatch.setenv(VARIABLE, "350")
    assert InputSpec(spec).generate("copying")["x"].shape == (100,)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of the address space is Linux's")
def test_an_allocation_that_fails_is_an_error_of_the_budget():
    code = """if True:
        import resource
        from dummyio import InputSpec, TensorSpec, materialize_part
        from dummyio.errors import MemoryBudgetError
        from dummyio.spec.values import Range
        spec = InputSpec({"x": TensorSpec("", (1 << 28,), "float64", Range())})
        spec.sizes()
        used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 29),) * 2)
        for call in (spec.feeds, spec.generate, lambda: next(spec.samples(1)), lambda: materialize_part(spec, "x", [])):
            try:
                call()
            except MemoryBudgetError as error:
                assert "more memory than the system gives" in str(error), error
                print("refused")
    """
    environment = {**os.environ, VARIABLE: str(1 << 40)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["refused"] * 4, done.stderr


def test_many_samples_exist_one_at_a_time():
    spec = InputSpec({"x": TensorSpec("", (4 * MIB,), "uint8")})
    tracemalloc.start()
    for sample in spec.samples(4):
        assert sample["x"].size == 4 * MIB
        del sample
    assert tracemalloc.get_traced_memory()[1] < 6 * MIB
    tracemalloc.stop()


def test_many_small_inputs_take_little_more_than_their_result():
    spec = InputSpec({f"x{place}": TensorSpec("", (16_000,), "int8", Uniform(0, 100)) for place in range(1000)})
    spec.feeds()
    tracemalloc.start()
    made = spec.feeds(seed=1)
    assert tracemalloc.get_traced_memory()[1] < 1.1 * sum(array.nbytes for array in made.values()) + 16 * MIB
    tracemalloc.stop()


@pytest.mark.parametrize("shape", [(0, 2**60, 2**60), (2**62, 0, 2**62)])
def test_a_shape_without_elements_that_numpy_lacks_is_refused(shape):
    spec = InputSpec({"x": TensorSpec("", shape)})
    for call in (spec.feeds, spec.generate, lambda: materialize_part(spec, "x", [])):
        with pytest.raises(MemoryBudgetError, match="its other axes exceed the arrays of NumPy"):
            call()
    assert materialize_part(spec, "x", [slice(1), slice(1), slice(1)]).size == 0


def test_half_of_the_free_memory_is_the_budget():
    free = psutil.virtual_memory().available
    check_budget(int(free * SHARE * 0.5), "half of it")
    with pytest.raises(MemoryBudgetError, match="twice as much needs"):
        check_budget(int(free * SHARE * 2), "twice as much")


@pytest.mark.parametrize(("budget", "fits"), [("0", False), ("279", False), ("280", True), ("1000000000000000", True)])
def test_the_environment_sets_the_budget(budget, fits, monkeypatch):
    monkeypatch.setenv(VARIABLE, budget)
    spec = InputSpec({"x": TensorSpec("", (70,), "float32")})
    if fits:
        assert spec.feeds()["x"].nbytes == 280
    else:
        with pytest.raises(
            MemoryBudgetError, match=rf"one sample of x needs 280 bytes, the budget is {budget} bytes \({VARIABLE}\)"
        ):
            spec.feeds()


def test_a_plan_that_is_kept_is_checked_again(monkeypatch):
    spec = InputSpec({"x": TensorSpec("", (100_000,), "float32")})
    spec.feeds()
    monkeypatch.setenv(VARIABLE, "1000")
    with pytest.raises(MemoryBudgetError):
        spec.feeds()


@pytest.mark.parametrize("text", ["", "-1", "1e9", "1 GB", "many"])
def test_a_budget_that_is_no_number_is_refused(text, monkeypatch):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(OptionError, match=f"{VARIABLE}='{text}': give a whole number of bytes"):
        InputSpec({"x": TensorSpec("", (1,))}).feeds()


@pytest.mark.parametrize(
    ("needed", "text"),
    [
        (1 << 30, "1.0 GiB"),
        ((3 << 40) + (1 << 39), "3.5 TiB"),
        (1 << 50, "1.0 PiB"),
        (1 << 60, "1.0 EiB"),
        (1 << 70, "1024.0 EiB"),
        (1023 * MIB + 1023 * 1024, "1023.9 MiB"),
    ],
)
def test_the_message_says_how_much_was_asked_for(needed, text, monkeypatch):
    monkeypatch.setenv(VARIABLE, "2048")
    with pytest.raises(MemoryBudgetError, match=rf"this needs {text}, the budget is 2\.0 KiB") as caught:
        check_budget(needed, "this")
    assert "materialize_part" in str(caught.value)


def test_more_bytes_than_a_float_counts_are_refused_all_the_same():
    spec = InputSpec({"x": TensorSpec("", (2**62,) * 32, "float64")})
    assert spec.nbytes() == 8 * 2 ** (62 * 32)
    with pytest.raises(MemoryBudgetError, match="EiB"):
        spec.feeds()


@pytest.mark.parametrize("framework", ["np", "pt", "tf", "jax", "ort"])
def test_a_signature_that_no_array_can_have_is_refused(framework):
    if framework != "np":
        pytest.importorskip({"pt": "torch", "tf": "tensorflow", "ort": "onnxruntime"}.get(framework, framework))
    for shape in ((2**62, 4), (0, 2**62, 4)):
        with pytest.raises(MemoryBudgetError, match="exceeds the arrays of every framework"):
            InputSpec({"x": TensorSpec("x", shape)}).abstract(framework)


def test_a_budget_of_thousands_of_digits_is_refused(monkeypatch):
    monkeypatch.setenv("DUMMYIO_MEMORY_BUDGET", "9" * 5000)
    with pytest.raises(OptionError, match="at most 30 digits"):
        InputSpec({"x": TensorSpec("x", (2,))}).feeds()
