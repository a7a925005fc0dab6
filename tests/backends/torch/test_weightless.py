"""The structure of a Transformers model, without its weights."""

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
transformers = pytest.importorskip("transformers")

import dummyio

pytestmark = pytest.mark.slow

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 20, "vocab_size": 99}


@pytest.mark.parametrize("name", ["BertForSequenceClassification", "LlamaForCausalLM"])
def test_a_model_that_looks_at_its_masks_values_has_a_structure_too(name, tmp_path):
    cls = getattr(transformers, name)
    model = cls(cls.config_class(**SMALL))
    artifact = dummyio.export(model, tmp_path / "without" / "model.onnx", weights=False)
    whole = dummyio.export(model, tmp_path / "with" / "model.onnx")
    graphs = [onnx.load(each.path, load_external_data=False).graph for each in (artifact, whole)]
    for part in ("input", "output"):
        names = [[value.name for value in getattr(graph, part)] for graph in graphs]
        assert names[0] == names[1]
    absent = {tensor.name for tensor in graphs[0].initializer if tensor.external_data}
    assert absent >= {
        name for name, _ in model.named_parameters() if "weight" in name and "norm" not in name.lower()
    } - {"lm_head.weight"}
