"""`dummyio.export`: what lies where afterwards, and what is refused."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import numpy as np

import dummyio
from dummyio.errors import ExportError, OptionError, OutputError, SourceError
from dummyio.exporting.artifact import spec_path


class Scores(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.linear(x)


@pytest.fixture(scope="module")
def spec():
    return dummyio.InputSpec({"x": dummyio.TensorSpec("x", [dummyio.Dim("batch_size", 2), 4])})


@pytest.fixture(scope="module")
def written(tmp_path_factory, spec):
    path = tmp_path_factory.mktemp("out") / "new" / "model.onnx"
    return dummyio.export(Scores(), path, spec=spec)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_artifact_and_its_spec_lie_side_by_side(written, spec):
    assert names(written.path.parent) == ["model.onnx", "model.onnx.dummyio.json"]
    assert [file.name for file in written.files] == ["model.onnx", "model.onnx.dummyio.json"]
    assert dummyio.InputSpec.load(spec_path(written.path)).sha256 == written.spec.sha256 == spec.sha256


def test_it_runs_on_feeds_by_the_specs_names(written, spec):
    feeds = spec.feeds(batch_size=5)
    model = Scores()
    (found,) = dummyio.open_runner(written.path)(feeds).values()
    np.testing.assert_allclose(found, model(torch.from_numpy(feeds["x"])).detach().numpy(), rtol=1e-5)


def test_a_later_validation_needs_nothing_but_the_reference(written):
    assert dummyio.validate(written.path, Scores()).ok


@pytest.mark.slow
def test_nothing_is_overwritten_unless_forced(written):
    before = written.path.read_bytes()
    with pytest.raises(OutputError, match=r"model\.onnx.*would be lost"):
        dummyio.export(Scores(), written.path)
    assert written.path.read_bytes() == before
    other = torch.nn.Sequential(torch.nn.Linear(4, 7))
    dummyio.export(other, written.path, force=True)
    assert written.path.read_bytes() != before
    dummyio.export(Scores(), written.path, spec=written.spec, force=True)


def test_a_failing_export_leaves_nothing(tmp_path, spec):
    class Broken(Scores):
        def forward(self, x):
            raise ValueError("no")

    with pytest.raises(ExportError, match="no"):
        dummyio.export(Broken(), tmp_path / "a" / "b" / "model.onnx", spec=spec)
    assert names(tmp_path) == []


def test_an_interrupted_export_leaves_nothing(tmp_path, spec):
    class Interrupted(Scores):
        def forward(self, x):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dummyio.export(Interrupted(), tmp_path / "model.onnx", spec=spec)
    assert names(tmp_path) == []


@pytest.mark.parametrize("options", [{"opsett": 18}, {"batch_sise": 3}])
def test_unknown_options_name_the_near_ones(tmp_path, options):
    with pytest.raises(OptionError, match=r"opset|batch_size"):
        dummyio.export(Scores(), tmp_path / "model.onnx", **options)


def test_formats_and_suffixes_are_checked(tmp_path, spec):
    with pytest.raises(SourceError, match=r"no format has the suffix '.onx'"):
        dummyio.export(Scores(), tmp_path / "model.onx", spec=spec)
    with pytest.raises(OptionError, match="is unknown"):
        dummyio.export(Scores(), tmp_path / "model.onnx", spec=spec, format="onx")
    with pytest.raises(OptionError, match=r"writes .*\.onnx"):
        dummyio.export(Scores(), tmp_path / "model.tflite", spec=spec)
    with pytest.raises(ExportError, match="cannot be exported"):
        dummyio.export(3, tmp_path / "model.onnx", spec=spec)


@pytest.mark.slow
def test_configuration_and_tokenizer_files_go_along(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    home = tmp_path / "home"
    transformers.BertForSequenceClassification(config).save_pretrained(home)
    (home / "vocab.txt").write_text("[PAD]\n[UNK]\n")
    model = transformers.BertForSequenceClassification.from_pretrained(home)
    artifact = dummyio.export(model, tmp_path / "out" / "model.onnx")
    assert names(tmp_path / "out") == ["config.json", "model.onnx", "model.onnx.dummyio.json", "vocab.txt"]
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == "bert"
    assert set(artifact.files) == set((tmp_path / "out").iterdir())
