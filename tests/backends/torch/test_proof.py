"""What runs of a live module show of its description: it is confirmed, corrected or refused."""

import json
import random

import pytest

torch = pytest.importorskip("torch")

import msgspec
from torch import nn

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.errors import OptionError, SourceError
from dummyio.sources.proof.budget import Budget
from dummyio.spec.proof import Proof
from dummyio.values import Constant, Normal, PaddingMask, TokenIds, Uniform
from dummyio_torch.discovery.runs.memory_guard import MemoryGuard, MemoryLimitError
from dummyio_torch.proof.model_call import ModelCall
from dummyio_torch.proof.prove_spec import prove_spec


class Tagger(nn.Module):
    """Tokens and their types, with a mask of the tokens that are kept."""

    def __init__(self):
        super().__init__()
        self.words, self.types, self.head = nn.Embedding(50, 8), nn.Embedding(2, 8), nn.Linear(8, 3)

    def forward(self, input_ids, token_type_ids, attention_mask):
        states = self.words(input_ids) + self.types(token_type_ids)
        return self.head(states * attention_mask[..., None])


class Patches(nn.Module):
    """Rows whose length is a multiple of four."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 2)

    def forward(self, series):
        return self.layer(series.view(len(series), -1, 4))


class Square(nn.Module):
    """Images as wide as high."""

    def forward(self, pixel_values):
        side = int(pixel_values.shape[-1])
        return pixel_values.reshape(len(pixel_values), -1, side, side).sum((1, 2))


BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 16)


def tokens(**changes):
    inputs = {
        "input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50, mask="attention_mask")),
        "token_type_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(2, mask="attention_mask")),
        "attention_mask": TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask()),
    }
    return InputSpec({**inputs, **changes})


def prove(module, spec, level="auto", **budget):
    return prove_spec(module.eval(), spec, level, ModelCall(), Budget(**budget))


def test_what_was_run_is_in_the_proof():
    spec = prove(Tagger(), tokens())
    assert spec == tokens()
    assert spec.sha256 == tokens().sha256
    assert spec.proof.level == "values"
    assert spec.proof.sizes[0] == {"batch_size": 2, "sequence_length": 16}
    assert {"batch_size": 1, "sequence_length": 17} in [{**sizes, "sequence_length": 17} for sizes in spec.proof.sizes]
    assert spec.proof.versions == {"torch": torch.__version__}
    assert spec.proof.corrections == ()
    assert str(spec.proof) == f"proved: ran with values at {len(spec.proof.sizes)} sizes, torch {torch.__version__}"
    assert InputSpec.from_json(spec.to_json()).proof == spec.proof
    assert "proof" not in json.loads(spec.with_proof(Proof()).to_json())


def test_weights_without_values_are_run_on_shapes():
    with torch.device("meta"):
        module = Tagger()
    assert prove(module, tokens()).proof.level == "shapes"
    with pytest.raises(OptionError, match="prove='values': its weights are on the meta device and have no values"):
        prove(module, tokens(), "values")


def test_weights_above_the_budget_are_run_on_shapes():
    assert prove(Tagger(), tokens(), weights=100).proof.level == "shapes"
    with pytest.raises(OptionError, match=r"its weights take 1\.\d KiB, and the limit is 100 bytes"):
        prove(Tagger(), tokens(), "values", weights=100)


@pytest.mark.parametrize("level", ["shapes", "values"])
def test_ids_stay_below_the_rows_of_the_table_that_they_meet(level):
    raised = tokens(token_type_ids=TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(3, mask="attention_mask")))
    spec = prove(Tagger(), raised, level)
    assert spec == tokens()
    assert spec.proof.corrections[0].endswith(
        "ids of token_type_ids stay below 2, the rows of the table that they index"
    ) or ("TokenIds(high=2" in spec.proof.corrections[0])


def test_an_input_that_forward_needs_is_added():
    without = InputSpec({name: node for name, node in tokens().items() if name != "token_type_ids"})
    spec = prove(Tagger(), without)
    assert spec["token_type_ids"].shape == (BATCH, LENGTH)
    assert spec["token_type_ids"].values.high == 2
    assert spec.proof.corrections[0].startswith("inputs that are needed: token_type_ids int64")


def test_a_length_that_is_a_multiple_is_declared():
    length = Dim("sequence_length", 16)
    spec = prove(Patches(), InputSpec({"series": TensorSpec("", (BATCH, length), "float32")}))
    assert spec.dims["sequence_length"] == Dim("sequence_length", 16, min=4, multiple_of=4)


def test_the_sides_of_a_square_have_one_size():
    shape = (BATCH, 3, Dim("height", 8), Dim("width", 8))
    spec = prove(Square(), InputSpec({"pixel_values": TensorSpec("", shape, "float32")}))
    assert spec["pixel_values"].shape == (BATCH, 3, Dim.static("height", 8), Dim.static("width", 8))


def test_what_no_correction_mends_is_refused_with_the_models_own_line():
    class Never(nn.Module):
        def forward(self, input_ids, token_type_ids, attention_mask):
            raise ValueError("such inputs are not for me")

    with pytest.raises(
        SourceError, match=r"Never refuses the inputs .*input_ids int64.*such inputs are not for me.*prove='off'"
    ):
        prove(Never(), tokens())


def test_a_run_above_the_memory_budget_is_not_made():
    class Outer(nn.Module):
        def forward(self, x):
            return (x[:, :, None, None] * x[:, None, :, None] * x[:, None, None, :]).sum()

    spec = prove(Outer(), InputSpec({"x": TensorSpec("", (BATCH, Dim("length", 100)), "float32")}), memory=1 << 20)
    assert spec.proof.level in ("shapes", "rules")
    with MemoryGuard(1 << 20), pytest.raises(MemoryLimitError, match=r"would take 3\.8 MiB .* limit .* 1\.0 MiB"):
        torch.zeros(1000, 1000)


def test_a_module_is_neither_run_nor_changed():
    class Counting(nn.Module):
        calls = 0

        def __init__(self):
            super().__init__()
            self.register_buffer("seen", torch.zeros(1))

        def forward(self, x):
            self.seen += 1
            self.calls += 1
            return x

    module = Counting()
    state = torch.get_rng_state()
    prove(module, InputSpec({"x": TensorSpec("", (BATCH, 3), "float32", Normal())}))
    assert (module.calls, module.seen.item(), module.training) == (0, 0, False)
    assert torch.equal(torch.get_rng_state(), state)


def test_levels_are_checked():
    with pytest.raises(OptionError, match=r"prove='always' is unknown\. .*auto"):
        dummyio.describe(Tagger(), prove="always")
    with pytest.raises(OptionError, match="prove='values': a spec cannot be run"):
        dummyio.describe(tokens(), prove="values")
    assert dummyio.describe(Tagger(), prove="off").proof == Proof()


def plant(spec, draw):
    """Return a spec with one mistake, and what it is."""
    paths = [path for path, _ in spec.leaves]
    path = draw.choice(paths)
    leaf = spec[path]
    kind = draw.choice(["ids", "dtype", "axes", "missing"])
    if kind == "missing":
        return InputSpec({name: node for name, node in spec.items() if name != path and not follows(node, path)}), kind
    if kind == "ids" and isinstance(leaf.values, TokenIds):
        leaf = leaf.replace(
            values=msgspec.structs.replace(leaf.values, high=leaf.values.high + draw.choice([1, 7, 1000]))
        )
    elif kind == "dtype":
        leaf = TensorSpec(path, leaf.shape, "float32" if leaf.dtype.kind == "int" else "int64", Uniform(0, 2))
    else:
        leaf = TensorSpec(path, leaf.shape[::-1], leaf.dtype, Uniform(0, 2))
    others = {
        name: unfollow(node) if isinstance(node.values, TokenIds) and leaf.name == node.values.mask else node
        for name, node in spec.items()
    }
    return InputSpec({**others, path: unfollow(leaf) if kind != "ids" else leaf}), kind


def follows(node, path):
    return getattr(node.values, "mask", None) == path


def unfollow(node):
    return (
        node.replace(values=msgspec.structs.replace(node.values, mask=None))
        if getattr(node.values, "mask", None)
        else node
    )


def takes(module, spec):
    """Whether a module takes the spec's inputs at two sizes, with the largest ids that it declares too."""
    try:
        with torch.no_grad():
            for sizes in ({}, {"batch_size": 3, "sequence_length": 5}):
                made = spec.generate("pt", **{name: size for name, size in sizes.items() if name in spec.dims})
                module(**made)
                for path, leaf in spec.leaves:
                    if isinstance(leaf.values, TokenIds):
                        made[path] = torch.full_like(made[path], leaf.values.high - 1)
                module(**made)
    except Exception:  # noqa: BLE001 - a module may raise anything
        return False
    return True


@pytest.mark.parametrize("seed", range(40))
def test_each_planted_mistake_that_the_module_refuses_is_refuted(seed):
    module = Tagger().eval()
    planted, _ = plant(tokens(), random.Random(seed))
    refused = not takes(module, planted)
    try:
        proved = prove(module, planted, corrections=0)
    except SourceError:
        assert refused
    else:
        assert takes(module, proved)
        assert (proved != planted) >= refused


class Half(nn.Module):
    """Reads the ids that are kept, not the scale, and the first half of the states alone."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 8)

    def forward(self, input_ids, attention_mask, scale, states):
        kept = self.words(input_ids) * attention_mask[..., None]
        return {"sum": (kept.sum(1) + states[:, :8]) * scale.isnan().logical_not()[:, None], "none": None}


def halves(**changes):
    inputs = tokens()
    inputs = {
        "input_ids": inputs["input_ids"],
        "attention_mask": inputs["attention_mask"],
        "scale": TensorSpec("", (BATCH,)),
        "states": TensorSpec("", (BATCH, 16), "float32", Normal()),
    }
    return InputSpec({**inputs, **changes})


def test_inputs_without_an_effect_are_named_with_the_reason():
    proved = prove_spec(Half(), halves(), "values", ModelCall())
    assert proved.proof.ineffective == {"scale": "no result changes with it"}
    assert str(proved.proof).endswith("without effect: scale (no result changes with it)")
    same = TensorSpec("", (BATCH, 16), "float32", Constant(1))
    proved = prove_spec(Half(), halves(states=same), "values", ModelCall())
    assert proved.proof.ineffective["states"] == "its rule gives the same values in every sample"
    assert proved == halves(states=same)  # the proof is provenance
    assert InputSpec.from_json(proved.to_json()).proof == proved.proof


def test_runs_on_shapes_show_no_effects():
    assert prove_spec(Half(), halves(), "shapes", ModelCall()).proof.ineffective == {}


def test_a_module_that_draws_random_numbers_repeats_its_results():
    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor, unused: torch.Tensor):
            return x + torch.randn_like(x)

    assert dummyio.describe(Noisy(), optional_inputs=True).proof.ineffective == {"unused": "no result changes with it"}
