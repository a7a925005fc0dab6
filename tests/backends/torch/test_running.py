"""Modules and exported programs as runners: what goes in, what comes out under which name, and what is left as it was."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import ml_dtypes
from torch import nn

import dummyio
from dummyio import Dim, InputSpec, Nest, TensorSpec, open_runner
from dummyio.errors import OptionError, RunError, SourceError
from dummyio.spec.spec_data import OutputSpec

ROWS = Dim("rows", 3, min=2)


class Careless(nn.Module):
    """Writes on its input, drops values where it trains, and hands a weight back."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.drop = nn.Dropout(0.5)

    def forward(self, x):
        x += 1
        return {"y": self.drop(x) * self.weight, "w": self.weight}


def spec_of(*outputs, dtype="float32"):
    return InputSpec({"x": TensorSpec("x", (ROWS, 4), dtype)}, outputs=tuple(OutputSpec(name) for name in outputs))


def test_a_module_runs_in_evaluation_and_is_left_as_it_was():
    module = Careless().train()
    module.drop.eval()
    run = open_runner(module, spec_of())
    feeds = spec_of().feeds()
    before = feeds["x"].copy()
    first, second = run(feeds), run(feeds)
    np.testing.assert_array_equal(first["y"], before + 1)
    np.testing.assert_array_equal(first["y"], second["y"])
    np.testing.assert_array_equal(feeds["x"], before)
    assert (module.training, module.drop.training) == (True, False)
    assert run.engine == f"torch {torch.__version__}"
    assert run.inputs is None


def test_results_do_not_change_with_the_module():
    module = Careless()
    result = open_runner(module, spec_of())(spec_of().feeds())
    with torch.no_grad():
        module.weight.zero_()
    assert (result["w"] == 1).all()


def test_what_the_spec_declares_is_what_comes_out():
    assert list(open_runner(Careless(), spec_of("w"))(spec_of().feeds())) == ["w"]
    assert list(open_runner(Careless(), spec_of("w", "y"))(spec_of().feeds())) == ["w", "y"]
    assert list(open_runner(Careless(), spec_of("other"))(spec_of().feeds())) == ["y", "w"]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_dtypes(dtype):
    run = open_runner(Careless().to(getattr(torch, dtype)), spec_of(dtype=dtype))
    assert run(spec_of(dtype=dtype).feeds())["y"].dtype == getattr(np, dtype, getattr(ml_dtypes, dtype, None))


def test_in_double():
    torch.manual_seed(0)
    module = nn.Linear(4, 4)
    spec = InputSpec({"input": TensorSpec("input", (ROWS, 4))})
    run = open_runner(module, spec)
    feeds = spec.feeds()
    single, double = run(feeds)["output"], run.in_double(feeds)["output"]
    assert double.dtype == np.float64
    assert 0 < abs(single - double).max() < 1e-5
    assert module.weight.dtype == torch.float32
    weights = module.weight.detach().numpy().astype(np.float64)
    np.testing.assert_allclose(double, feeds["input"] @ weights.T + module.bias.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize(
    ("feeds", "message"),
    [({}, "no feed for x"), ({"x": np.ones((2, 4), np.float32), "z": np.ones(1)}, "'z' is not an input")],
)
def test_names_are_checked(feeds, message):
    with pytest.raises(RunError, match=message):
        open_runner(Careless(), spec_of())(feeds)


def test_the_modules_own_error_is_kept():
    with pytest.raises(RunError, match="RuntimeError: The size of tensor") as caught:
        open_runner(Careless(), spec_of())({"x": np.ones((2, 3), np.float32)})
    assert isinstance(caught.value.__cause__, RuntimeError)


def test_what_cannot_be_opened():
    with pytest.raises(SourceError, match="give its spec"):
        open_runner(Careless())
    with pytest.raises(OptionError, match="leave the engine out"):
        open_runner(Careless(), spec_of(), engine="fast")


# Models of Transformers'.

TEXT = {
    "vocab_size": 99,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "intermediate_size": 16,
    "max_position_embeddings": 64,
}
PAIR = {
    "vocab_size": 99,
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 16,
    "num_layers": 2,
    "num_heads": 2,
    "decoder_start_token_id": 0,
}


def tiny(name, values):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    cls = getattr(transformers, name)
    return cls(cls.config_class(**values)).eval()


CASES = [
    ("LlamaForCausalLM", TEXT, "text-generation", ["logits"]),
    (
        "LlamaForCausalLM",
        TEXT,
        "text-generation-with-past",
        ["logits", "present.0.key", "present.0.value", "present.1.key"],
    ),
    ("T5ForConditionalGeneration", PAIR, "text2text-generation", ["logits", "encoder_last_hidden_state"]),
    ("T5ForConditionalGeneration", PAIR, "text2text-generation-with-past", ["logits", "present.0.decoder.key"]),
    (
        "BertModel",
        {k: v for k, v in TEXT.items() if k != "num_key_value_heads"},
        None,
        ["last_hidden_state", "pooler_output"],
    ),
]


@pytest.mark.parametrize(
    ("name", "values", "task", "first"), CASES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_results_have_the_names_that_the_spec_has(name, values, task, first):
    model = tiny(name, values)
    spec = dummyio.describe(model, task)
    results = open_runner(model, spec)(spec.feeds())
    assert list(results)[: len(first)] == first
    assert list(results) == [output.name for output in spec.outputs]


def test_a_cache_is_new_in_each_call():
    """A model appends to the cache that it is given: with the same one, the second call would see a longer past."""
    model = tiny("LlamaForCausalLM", TEXT)
    spec = dummyio.describe(model, "text-generation-with-past", past_sequence_length=5, sequence_length=3)
    run = open_runner(model, spec)
    feeds = spec.feeds()
    first, second = run(feeds), run(feeds)
    assert first["present.0.key"].shape[2] == second["present.0.key"].shape[2] == 8
    np.testing.assert_array_equal(first["logits"], second["logits"])
    assert feeds["past_key_values.0.key"].shape[2] == 5


def test_a_cache_that_nobody_asked_for_is_named_too():
    model = tiny("T5ForConditionalGeneration", PAIR)
    spec = dummyio.describe(model, "text2text-generation")
    results = open_runner(model, InputSpec(dict(spec)))(spec.feeds())
    parts = [f"present.0.{side}.{part}" for side in ("decoder", "encoder") for part in ("key", "value")]
    assert [name for name in results if name.startswith("present.0")] == parts


# Exported programs.


class Nested(nn.Module):
    def forward(self, x, parts, scale=2):
        return x * scale + parts["a"], parts["b"]


def program_file(path):
    x = torch.ones(3, 4)
    parts = {"a": torch.ones(3, 4), "b": torch.ones(5)}
    program = torch.export.export(Nested(), (x,), {"parts": parts, "scale": 3})
    torch.export.save(program, path)
    return path


@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")  # torch.export's own use of pytrees
def test_a_foreign_program_runs(tmp_path):
    path = program_file(tmp_path / "model.pt2")
    parts = {"a": TensorSpec("a", (3, 4)), "b": TensorSpec("b", (5,))}
    spec = InputSpec(
        {"x": TensorSpec("x", (3, 4)), "parts": Nest.of("dict", parts)}, outputs=(OutputSpec("y"), OutputSpec("b"))
    )
    run = open_runner(path, spec)
    assert [(port.name, port.shape) for port in run.inputs] == [("x", (3, 4)), ("parts.a", (3, 4)), ("parts.b", (5,))]
    feeds = spec.feeds()
    np.testing.assert_allclose(run(feeds)["y"], feeds["x"] * 3 + feeds["parts.a"], rtol=1e-6)
    np.testing.assert_array_equal(run(feeds)["b"], feeds["parts.b"])
    with pytest.raises(RunError, match="torch"):
        run({**feeds, "x": np.ones((2, 4), np.float32)})
    with pytest.raises(RunError, match="no feed for x"):
        run({})


@pytest.mark.parametrize("content", [b"", b"this is text", json.dumps({}).encode()])
def test_what_is_no_program_is_refused(tmp_path, content):
    path = tmp_path / "model.pt2"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="does not find an exported program there"):
        open_runner(path)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.* is deprecated:FutureWarning")  # as above
def test_a_truncated_program_is_refused(tmp_path):
    path = program_file(tmp_path / "model.pt2")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SourceError, match="must be a whole file"):
        open_runner(path)


@pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning")
@pytest.mark.parametrize("as_module", [False, True])
def test_a_program_that_fails_inside_vmap_leaves_it(as_module):
    class Mapped(nn.Module):
        def forward(self, x):
            return torch.vmap(lambda row: row.softmax(0))(x)

    program = torch.export.export(Mapped(), (torch.rand(3, 4),), dynamic_shapes=({0: torch.export.Dim("rows")},))
    run = open_runner(program.module() if as_module else program, spec_of())
    with pytest.raises(RunError, match=r"softmax.* not implemented for 'Long'"):
        run({"x": np.zeros((3, 4), np.int64)})
    assert torch.rand(2).shape == (2,)  # vmap would refuse random numbers


class Masking(nn.Module):
    """Hides random columns, unless the caller says which."""

    def forward(self, x, noise=None):
        if noise is None:
            noise = torch.rand(x.shape)
        return x * (noise > 0.5)


class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.hide = Masking()

    def forward(self, x, noise=None):
        return {"y": self.hide(x, noise)}


def test_a_module_that_draws_an_argument_is_told_to_take_it():
    with pytest.raises(
        RunError, match=r"y differ .* It draws noise at random, since that is not an input: .* feed=\('noise',\)"
    ):
        dummyio.validate(Masked(), Masked(), spec=spec_of("y"))
