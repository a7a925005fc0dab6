"""A model with adapters, behind wrappers that hand all arguments on."""

import pytest

torch = pytest.importorskip("torch")

from program_checks import assert_sound_export, build, describe_program, list_defects, write_shapes
from torch import nn

from dummyio.values import Positions


class LoraLinear(nn.Module):
    def __init__(self, base, r=2):
        super().__init__()
        self.base_layer = base
        self.lora_A = nn.Linear(base.in_features, r, bias=False)
        self.lora_B = nn.Linear(r, base.out_features, bias=False)

    def forward(self, x, *args, **kwargs):
        return self.base_layer(x, *args, **kwargs) + self.lora_B(self.lora_A(x)) * 2.0


class Encoder(nn.Module):
    def __init__(self, defect=None):
        super().__init__()
        self.tok = nn.Embedding(64, 16)
        self.pos = nn.Embedding(32, 16)
        self.q = nn.Linear(16, 16)
        self.k = nn.Linear(16, 16)
        self.v = nn.Linear(16, 16)
        self.cls = nn.Linear(16, 3)
        self.defect = defect

    def forward(self, input_ids, attention_mask=None, position_ids=None, labels=None):
        if position_ids is None or self.defect == "positions":
            position_ids = torch.arange(input_ids.shape[1])[None]
        x = self.tok(input_ids) + self.pos(position_ids)
        scores = self.q(x) @ self.k(x).transpose(1, 2) / 4
        if attention_mask is not None and self.defect != "mask":
            scores = scores.masked_fill(attention_mask[:, None] == 0, -1e9)
        x = scores.softmax(-1) @ self.v(x)
        if self.defect == "last token":
            x = x[:, -1:]
        return {"logits": self.cls(x[:, 0])}


class LoraModel(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model
        for name in ("q", "v"):
            setattr(model, name, LoraLinear(getattr(model, name)))

    def forward(self, *args, **kwargs):
        return self.model.forward(*args, **kwargs)


class PeftModel(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.base_model = LoraModel(model)
        self.extra = nn.Identity()

    def forward(self, *args, **kwargs):
        with self._no_prompt():
            kwargs = {k: v for k, v in kwargs.items() if k != "adapter_names"}
            return self.base_model(*args, **kwargs)

    def _no_prompt(self):
        return torch.autograd.set_grad_enabled(torch.is_grad_enabled())


@pytest.fixture(scope="module")
def adapted():
    model = build(lambda: PeftModel(Encoder()))
    return model, describe_program(model)


def test_the_inputs_are_those_of_the_model_inside(adapted):
    _, spec = adapted
    shape = "int64[batch_size, sequence_length]"
    assert write_shapes(spec) == dict.fromkeys(("input_ids", "attention_mask", "position_ids"), shape)
    assert dict(spec.leaves)["position_ids"].values == Positions(mask="attention_mask")
    assert spec.dims["sequence_length"].max == 32


@pytest.mark.parametrize("defect", ["positions", "mask", "last token"])
def test_a_defect_is_found_by_values(adapted, defect):
    model, spec = adapted
    assert ("values", "logits") in list_defects(spec, model, build(lambda: PeftModel(Encoder(defect))))


@pytest.mark.slow
def test_the_sound_export_is_accepted(adapted, tmp_path):
    assert_sound_export(*adapted, tmp_path / "model.onnx")


def test_a_model_of_peft():
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(target_modules=["q", "v"], r=2)
    spec = describe_program(build(lambda: peft.get_peft_model(Encoder(), config)))
    assert list(spec) == ["input_ids", "attention_mask", "position_ids"]
