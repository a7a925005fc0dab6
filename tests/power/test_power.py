"""A part of the power's measurement: the models that take a moment. ``nox -s power`` measures all of it."""

import pytest

for package in ("torch", "transformers", "onnx", "onnxruntime", "onnxscript", "onnx_ir"):
    pytest.importorskip(package)

from planted import faces, judging, peers, sizes, sums, uses, values
from planted.bases import base
from planted.registry import DEFECTS, exported
from planted.sound import sounds_of_torch

pytestmark = pytest.mark.slow

MODULES = (faces, sizes, sums, uses, values)
QUICK = ("clock", "meter", "picker", "pooler", "ratio", "convolutional", "tagger", "projection", "series", "pair")
TEXT = ("mask ignored", "swapped outputs", "vocabulary short by one", "swapped past", "wrong symbol in an output")
CHOSEN = [name for name, defect in DEFECTS.items() if defect.base in QUICK] + list(TEXT)


def judged(name, folder):
    defect = DEFECTS[name]
    path = folder / "model.onnx"
    defect.write(path)
    found = base(defect.base)
    return path, found, judging.validated(path, found.module, found.spec, **defect.asked)


@pytest.mark.parametrize("name", CHOSEN)
def test_a_planted_defect_is_found(name, tmp_path):
    _, _, said = judged(name, tmp_path)
    assert DEFECTS[name].finds in said.split(", "), DEFECTS[name].about


@pytest.mark.parametrize(
    "sound",
    [sound for sound in sounds_of_torch(QUICK) if "dynamo" not in sound.route],
    ids=lambda s: f"{s.name} {s.route}",
)
def test_a_sound_export_passes(sound, tmp_path):
    path, reference, spec = sound.write(tmp_path)
    assert not judging.validated(path, reference, spec)


def test_every_defect_says_what_it_is():
    assert len(DEFECTS) >= 128
    assert len({defect.about for defect in DEFECTS.values()}) == len(DEFECTS)


def test_what_only_other_values_show_the_others_miss(tmp_path):
    path, found, said = judged("nan for padded rows", tmp_path)
    assert said == "nonfinite sentence_embedding"
    assert not peers.torch_finds("pooler", path)
    assert not peers.allclose_finds(found.module, found.spec, path)


def test_the_others_find_what_is_plainly_wrong_and_pass_what_is_right(tmp_path):
    path, found, _ = judged("places off by one", tmp_path)
    assert peers.torch_finds("picker", path)
    assert peers.allclose_finds(found.module, found.spec, path)
    assert not peers.torch_finds("picker", exported("picker"))
    assert not peers.allclose_finds(found.module, found.spec, exported("picker"))
