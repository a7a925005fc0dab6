"""What does not fit is refused before anything is allocated."""

import time
import tracemalloc

import psutil
import pytest

from dummyio.errors import MemoryBudgetError, OptionError
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import materialize_part
from dummyio.materialize.memory_budget import SHARE, VARIABLE, check_budget
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import PaddingMask, Positions, TokenIds

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


def test_a_part_that_needs_whole_rows_of_its_mask_has_their_budget(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(1 << 30))
    length = Dim("length", 1 << 32)
    inputs = {
        "mask": TensorSpec("", (1, length), "bool", PaddingMask("left")),
        "positions": TensorSpec("", (1, length), "int64", Positions(mask="mask")),
    }
    with pytest.raises(MemoryBudgetError, match="a part of mask needs"):
        materialize_part(InputSpec(inputs), "positions", [slice(1), slice(10)])


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
