"""The quality of the bits: what a weak hash would show. The inputs are fixed and the limits wide, so nothing here is by chance."""

import itertools
import os
import subprocess
import sys

import numpy as np
import pytest

from dummyio.errors import OptionError
from dummyio.materialize.counter_rng import PERIOD, combine_keys, path_key, random_words, sample_key

INDEX = np.arange(PERIOD, dtype=np.uint32)
SOME = 1 << 16
LAGS = [
    1,
    2,
    3,
    4,
    7,
    8,
    16,
    32,
    64,
    77,
    128,
    196,
    224,
    256,
    384,
    512,
    577,
    768,
    1000,
    1024,
    3072,
    4096,
    30_522,
    50_176,
]
KEYS = {
    "another sample": (("x", 0, 0), ("x", 0, 1)),
    "a later sample": (("x", 0, 7), ("x", 0, 1000)),
    "another seed": (("x", 0, 0), ("x", 1, 0)),
    "a negative seed": (("x", 1, 0), ("x", -1, 0)),
    "seed and sample exchanged": (("x", 0, 1), ("x", 1, 0)),
    "another path": (("input_ids", 0, 0), ("attention_mask", 0, 0)),
    "a layer further": (("past_key_values.0.key", 0, 0), ("past_key_values.1.key", 0, 0)),
    "key and value": (("past_key_values.0.key", 0, 0), ("past_key_values.0.value", 0, 0)),
}


def bits_of(path="x", seed=0, sample=0, stream=0):
    return random_words(INDEX, combine_keys(path_key(path), sample_key(seed, sample)), stream)


def unevenness(a, b, bits=6):
    """How far the pairs are from filling a square evenly, in standard deviations of what chance gives."""
    cells = ((a >> np.uint32(32 - bits)).astype(np.int64) << bits) | (b >> np.uint32(32 - bits)).astype(np.int64)
    counts, expected = np.bincount(cells, minlength=1 << 2 * bits), len(a) / (1 << 2 * bits)
    freedom = (1 << 2 * bits) - 1
    return (((counts - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom)


def signs(values):
    return ((values[:, None] >> np.arange(32, dtype=np.uint32)) & 1).astype(np.float32) * 2 - 1


def assert_unrelated(a, b):
    low = np.uint32(26)
    assert abs(unevenness(a, b)) < 7, "high bits"
    assert abs(unevenness(a << low, b << low)) < 7, "low bits"
    related = signs(a[:SOME]).T @ signs(b[:SOME]) / np.sqrt(SOME)
    assert np.abs(related).max() < 7, "a bit with another bit"
    assert abs(np.corrcoef(a.astype(float), b.astype(float))[0, 1]) * np.sqrt(len(a)) < 7


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_every_bit_is_set_half_of_the_time(seed):
    share = np.array([(bits_of(seed=seed) >> np.uint32(bit) & 1).mean() for bit in range(32)])
    assert np.abs(share * 2 - 1).max() * np.sqrt(PERIOD) < 6


@pytest.mark.parametrize("seed", [0, 1])
def test_words_are_uniform(seed):
    counts = np.bincount(bits_of(seed=seed) >> np.uint32(18), minlength=1 << 14)
    expected = PERIOD / (1 << 14)
    chi = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi - (1 << 14)) / np.sqrt(2 << 14) < 7


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("lag", LAGS)
def test_elements_some_way_apart_are_unrelated(lag, seed):
    a = bits_of(seed=seed)
    assert abs(unevenness(a[:-lag], a[lag:])) < 7


def test_neighbours_are_unrelated_in_every_bit():
    a = bits_of()
    assert_unrelated(a[:-1], a[1:])


@pytest.mark.parametrize("pair", KEYS.values(), ids=KEYS)
def test_tensors_with_other_keys_are_unrelated(pair):
    one, other = (bits_of(*key) for key in pair)
    assert_unrelated(one, other)
    assert abs(unevenness(one[:-1], other[1:])) < 7, "one element further"


@pytest.mark.parametrize("pair", list(itertools.combinations(range(4), 2)), ids=str)
def test_the_words_of_one_element_are_unrelated(pair):
    assert_unrelated(*(bits_of(stream=stream) for stream in pair))


def test_a_bit_of_the_index_changes_half_of_the_bits():
    a = bits_of()
    for bit in range(19):
        changed = signs(a[:SOME] ^ a[INDEX[:SOME] ^ np.uint32(1 << bit)]).mean(0)
        assert np.abs(changed).max() < 0.05, f"bit {bit}"


def test_samples_are_unrelated_at_the_same_place():
    """The other way round: one element over many samples, as a calibration reads it."""
    firsts = np.concatenate(
        [random_words(INDEX[:4], combine_keys(path_key("x"), sample_key(0, n))) for n in range(10_000)]
    )
    table = firsts.reshape(-1, 4)
    for column in range(4):
        assert abs(unevenness(table[:-1, column], table[1:, column], bits=4)) < 7
        assert abs(table[:, column].mean() / 2**32 - 0.5) < 0.02
    assert abs(unevenness(table[:, 0], table[:, 1], bits=4)) < 7


def test_no_two_elements_of_a_period_hold_the_same_words():
    both = bits_of().astype(np.uint64) << np.uint64(32) | bits_of(stream=1)
    assert len(np.unique(both)) == PERIOD


def test_the_period_is_the_largest_prime_below_a_power_of_two():
    primes = [n for n in range((1 << 20) - 20, 1 << 20) if all(n % d for d in range(2, 1025))]
    assert primes[-1] == PERIOD


# Keys.


def test_keys_of_seeds_samples_and_paths_are_all_different():
    keys = [sample_key(seed, sample) for seed in range(-50, 50) for sample in range(50)]
    keys += [path_key(f"{name}.{i}") for name in "abcdefgh" for i in range(50)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    "seed", [0, -1, 2**64, -(2**200), 10**5000, np.int64(7), True], ids=lambda seed: type(seed).__name__
)
def test_any_whole_number_is_a_seed(seed):
    assert sample_key(seed, 0) != sample_key(int(seed) + 1, 0)
    assert sample_key(seed, 0) == sample_key(int(seed), np.int64(0))


@pytest.mark.parametrize("seed", [1.5, 1.0, "1", None, np.float32(1)])
def test_nothing_else_is_a_seed(seed):
    for which in ((seed, 0), (0, seed)):
        with pytest.raises(OptionError, match="both must be ints"):
            sample_key(*which)


def test_any_text_is_a_path():
    assert path_key("größe.0") == path_key("größe.0") != path_key("grösse.0")


def test_words_are_these_numbers():
    key = combine_keys(path_key("input_ids"), sample_key(3, 5))
    places = np.array([0, 1, PERIOD - 1], np.uint32)
    assert random_words(places, key).tolist() == [867_357_121, 1_889_465_844, 3_449_636_805]
    assert random_words(places, key, 1).tolist() == [1_678_599_868, 3_509_628_332, 1_739_808_290]


def test_keys_are_these_numbers_in_every_process():
    code = "from dummyio.materialize.counter_rng import *; print(*path_key('input_ids'), *sample_key(3, 5))"
    expected = [*path_key("input_ids"), *sample_key(3, 5)]
    assert expected == [2_825_515_357, 3_823_563_508, 2_360_397_968, 1_639_119_084]
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert [int(word) for word in done.stdout.split()] == expected
