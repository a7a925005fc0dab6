"""Inputs are those of Optimum's exporters, and where they are not, the page says why."""

import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "optimum.md").read_text(encoding="utf-8")
LEAST = 0.95
"""The share of cases with the same names, ranks and axes; the page has the exact one."""
FEW = (
    "bert::fill-mask::default",
    "roberta::text-classification::default",
    "xlm::feature-extraction::default",
    "bart::question-answering::monolith",
    "t5::text2text-generation-with-past::decoder+past",
    "blenderbot::text-generation-with-past::decoder",
    "whisper::automatic-speech-recognition::encoder",
    "moonshine::feature-extraction::monolith",
    "wav2vec2::audio-xvector::default",
    "vit::masked-im::default",
    "gpt2::text-generation-with-past::past",
    "decision_transformer::reinforcement-learning::default",
    "longformer::multiple-choice::default",
    "metaclip_2::feature-extraction::split,vision_model=True",
    "gpt_oss::text-generation-with-past::past",
    "gemma3::text-classification::default",
    "big_bird::multiple-choice::default",
    "siglip::zero-shot-image-classification::default",
    "d_fine::object-detection::default",
    "layoutlmv3::token-classification::default",
    "vits::text-to-audio::default",
)


@pytest.fixture(scope="module")
def parity():
    folder = ROOT / "tests" / "coverage"
    sys.path.insert(0, str(folder))
    try:
        spec = importlib.util.spec_from_file_location("optimum_parity", folder / "optimum_parity.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["optimum_parity"] = module
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(folder))
    return module


@pytest.fixture(scope="module")
def cases(parity):
    return {case.key: case for case in parity.read_cases()}


@pytest.mark.parametrize("key", FEW)
def test_same_or_with_a_reason(key, parity, cases):
    difference = parity.name_difference(cases[key])
    if difference:
        assert f"| {difference} |" in PAGE
    else:
        assert parity.describe(cases[key]) == cases[key].expected


@pytest.mark.slow
def test_all_cases(parity, cases):
    differences = {key: parity.name_difference(case) for key, case in cases.items()}
    default = [key for key, case in cases.items() if not case.special]
    assert sum(not differences[key] for key in default) >= LEAST * len(default)
    unexplained = {key: kind for key, kind in differences.items() if kind and kind not in parity.REASONS}
    assert not unexplained
    assert all(f"| {kind} |" in PAGE for kind in differences.values() if kind)
