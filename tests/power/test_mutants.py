"""A part of the measurement of mutants: two graphs. ``nox -s mutants`` measures all."""

import random

import pytest

for package in ("torch", "transformers", "onnx", "onnxruntime", "onnxscript"):
    pytest.importorskip(package)

import onnx
from mutants import judge
from planted.bases import base
from planted.mutations import MUTATIONS, make_mutants
from planted.registry import exported

import dummyio

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", ["meter", "convolutional"])
def test_each_mutant_is_found_or_equivalent(name, tmp_path):
    model = onnx.load(exported(name))
    said = {what: judge(model, mutant, base(name).spec, tmp_path) for what, mutant in make_mutants(model, 8, 0)}
    assert len(said) >= 6
    assert not {what: verdict for what, verdict in said.items() if verdict.startswith("survived")}
    assert sum(verdict.startswith("found") for verdict in said.values()) >= 4


def test_a_graph_is_found_sound_against_itself(tmp_path):
    onnx.save(onnx.load(exported("meter")), tmp_path / "sound.onnx")
    assert dummyio.validate(tmp_path / "sound.onnx", tmp_path / "sound.onnx", spec=base("meter").spec).ok


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_each_kind_of_change_changes_one_thing(mutation):
    model = onnx.load(exported("bert"))
    before = model.SerializeToString(deterministic=True)
    said = mutation(model, random.Random(0))
    assert (said is None) == (model.SerializeToString(deterministic=True) == before)
    assert said is not None
