"""Generators that a user writes: given to a description or registered, describing or making tensors."""

import random
import threading

import numpy as np
import pytest

import dummyio
from dummyio.errors import OptionError, SourceError
from dummyio.generators import (
    DEFAULT_DUMMY_SHAPES,
    DummyInputGenerator,
    DummyPastKeyValuesGenerator,
    DummyTextInputGenerator,
    register_generator,
    registered_generators,
    unregister_generator,
)
from dummyio.spec.dims import Dim
from dummyio.values import Constant, PaddingMask, Positions, TokenIds, Uniform

BERT = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": 50,
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "type_vocab_size": 2,
    "max_position_embeddings": 64,
}
GPT2 = {"model_type": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 8, "vocab_size": 50, "n_positions": 64}
LIDAR = {"model_type": "lidar-net", "point_size": 4}
"""The configuration of a model that no library has."""


class Ids(DummyTextInputGenerator):
    def describe_input_ids(self):
        return self.ints("input_ids", self.shape, Constant(7))


class OtherIds(DummyTextInputGenerator):
    def describe_input_ids(self):
        return self.ints("input_ids", self.shape, Constant(8))


class Lidar(DummyInputGenerator):
    def describe_lidar_points(self):
        shape = self.dim("batch_size"), self.dim("num_points", size=64), self.config.integer("point_size")
        return self.floats("lidar_points", shape, Uniform(-2, 2))


class OptimumLidar(DummyInputGenerator):
    """As one is written for Optimum: sizes by keyword, tensors as a result."""

    SUPPORTED_INPUT_NAMES = ("lidar_points", "radar")

    def __init__(self, task, normalized_config, batch_size=DEFAULT_DUMMY_SHAPES["batch_size"], num_points=32, **kwargs):
        self.batch_size, self.num_points = batch_size, num_points
        self.point_size = normalized_config.point_size

    def generate(self, input_name, framework="pt", int_dtype="int64", float_dtype="fp32"):
        if input_name == "radar":
            shape = [self.batch_size, 2 * self.num_points + 1]
            return self.random_int_tensor(shape, max_value=30, min_value=20, framework=framework, dtype=int_dtype)
        shape = [self.batch_size, self.num_points, self.point_size]
        return self.random_float_tensor(shape, min_value=-1, max_value=1, framework=framework, dtype=float_dtype)


class Duck:
    """Derived from nothing."""

    SUPPORTED_INPUT_NAMES = ("lidar_points",)

    def __init__(self, task, normalized_config, batch_size=2, **shapes):
        self.batch_size = batch_size

    def supports_input(self, input_name):
        return any(input_name.startswith(name) for name in self.SUPPORTED_INPUT_NAMES)

    def generate(self, input_name, framework="pt", int_dtype="int64", float_dtype="fp32"):
        return np.full((self.batch_size, 5), 3, np.float16)


def make_generator(make, name="lidar_points"):
    """Return the class of a generator that returns `make(batch_size, sequence_length)`."""

    class Made(DummyInputGenerator):
        SUPPORTED_INPUT_NAMES = (name,)

        def __init__(self, task, normalized_config, batch_size=2, sequence_length=16, **kwargs):
            self.batch_size, self.length = batch_size, sequence_length

        def generate(self, input_name, framework="pt", int_dtype="int64", float_dtype="fp32"):
            return make(self.batch_size, self.length)

    return Made


def describe_made(make, **keywords):
    """Return the description of what a generator makes."""
    return dummyio.describe(LIDAR, generators=(make_generator(make),), **keywords)["lidar_points"]


def test_a_generator_decides_its_input_and_ours_the_others():
    spec = dummyio.describe(BERT, task="feature-extraction", generators=(Ids,))
    usual = dummyio.describe(BERT, task="feature-extraction")
    assert spec["input_ids"].values == Constant(7)
    assert list(spec) == list(usual)
    assert {name: spec[name] for name in list(spec)[1:]} == {name: usual[name] for name in list(usual)[1:]}


def test_given_generators_come_before_registered_ones_and_these_before_ours():
    with registered_generators(Ids):
        assert dummyio.describe(BERT)["input_ids"].values == Constant(7)
        assert dummyio.describe(BERT, generators=(OtherIds, Ids))["input_ids"].values == Constant(8)
        with registered_generators(OtherIds):  # the last registered first
            assert dummyio.describe(BERT)["input_ids"].values == Constant(8)
        assert dummyio.describe(BERT)["input_ids"].values == Constant(7)
    assert dummyio.describe(BERT)["input_ids"].values not in (Constant(7), Constant(8))


def test_a_registration_can_be_for_one_model_type_or_task():
    with registered_generators(Ids, model_type="roberta"):
        assert dummyio.describe(BERT)["input_ids"].values != Constant(7)
    with registered_generators(Ids, model_type="bert", task="fill-mask"):
        assert dummyio.describe(BERT, task="fill-mask")["input_ids"].values == Constant(7)
        assert dummyio.describe(BERT, task="feature-extraction")["input_ids"].values != Constant(7)


def test_a_decorator_registers_and_returns_the_class():
    @register_generator
    class First(Ids):
        pass

    @register_generator(model_type="bert")
    class Second(OtherIds):
        pass

    try:
        assert isinstance(Second, type)
        assert dummyio.describe(BERT)["input_ids"].values == Constant(8)
        unregister_generator(Second)
        assert dummyio.describe(BERT)["input_ids"].values == Constant(7)
    finally:
        unregister_generator(First)
    with pytest.raises(OptionError, match=r"^First is not a registered generator\. Registered: none\.$"):
        unregister_generator(First)


def test_threads_register_without_losing_a_class():
    kinds = [type(f"Made{place}", (Lidar,), {}) for place in range(40)]
    threads = [threading.Thread(target=register_generator, args=(kind,)) for kind in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for kind in kinds:
        unregister_generator(kind)  # an error if it were lost


def test_an_input_that_no_rule_knows_is_described():
    spec = dummyio.describe(LIDAR, generators=(Lidar,), num_points=50)
    assert str(spec["lidar_points"]) == "float32[batch_size, num_points, 4] Uniform(low=-2, high=2)"
    assert spec.dims["num_points"] == Dim("num_points", 50)


def test_tensors_are_observed():
    spec = dummyio.describe(LIDAR, generators=(OptimumLidar,), num_points=8, int_dtype="int32")
    assert str(spec["lidar_points"]) == "float32[batch_size, num_points, 4] Uniform(low=-1)"
    assert str(spec["radar"]) == "int32[batch_size, num_points * 2 + 1] Uniform(low=20, high=30)"
    assert spec.dims["num_points"].size == 8
    half = dummyio.describe(LIDAR, generators=(OptimumLidar,), float_dtype="fp16")
    assert half["lidar_points"].dtype == "float16"


def test_a_class_that_derives_from_nothing_is_observed():
    spec = dummyio.describe(LIDAR, generators=(Duck,))
    assert str(spec["lidar_points"]) == "float16[batch_size, 5] Constant(value=3)"


def test_a_subclass_of_ours_may_make_the_tensors_of_its_parent():
    class Parent(DummyTextInputGenerator):
        def generate(self, input_name, framework="pt", int_dtype="int64", float_dtype="fp32"):
            return super().generate(input_name, framework=framework, int_dtype=int_dtype, float_dtype=float_dtype)

    spec = dummyio.describe(BERT, task="feature-extraction", generators=(Parent,), batch_size=3)
    assert str(spec["input_ids"]) == "int64[batch_size, sequence_length] Uniform(high=50)"
    assert spec["attention_mask"].values == PaddingMask()
    assert list(spec) == ["input_ids", "attention_mask", "token_type_ids"]  # not all that the parent can describe
    assert spec.dims["batch_size"].size == 3


def test_an_own_cache_has_the_past_as_its_length():
    class Transposed(DummyPastKeyValuesGenerator):
        def generate(self, input_name, framework="pt", int_dtype="int64", float_dtype="fp32"):
            size = self.hidden_size // self.num_attention_heads
            key = (self.batch_size, self.num_attention_heads, size, self.sequence_length)
            value = (self.batch_size, self.num_attention_heads, self.sequence_length, size)
            make = self.random_float_tensor
            return [(make(key, framework=framework), make(value, framework=framework)) for _ in range(self.num_layers)]

    spec = dummyio.describe(GPT2, task="text-generation-with-past", generators=(Transposed,))
    past = spec["past_key_values"]
    assert past.kind == "cache"
    assert len(past) == 2
    assert str(past[1]["key"]) == "float32[batch_size, 2, 4, past_sequence_length] Uniform()"
    assert str(past[1]["value"]) == "float32[batch_size, 2, past_sequence_length, 4] Uniform()"
    assert "past_key_values" not in dummyio.describe(GPT2, task="text-generation", generators=(Transposed,))
    legacy = dummyio.describe(GPT2, task="text-generation-with-past", generators=(Transposed,), cache="legacy")
    assert legacy["past_key_values"].kind == "tuple"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda b, s: np.ones((b, s // 4, (s + 1) // 2)),
            "[batch_size, sequence_length // 4, (sequence_length + 1) // 2]",
        ),
        (lambda b, s: np.ones((b * s, 3)), "[batch_size * sequence_length, 3]"),
        (lambda b, s: np.ones((s - 2, b + s)), "[sequence_length - 2, batch_size + sequence_length]"),
        (lambda b, s: np.ones(()), "[]"),
    ],
)
def test_an_axis_is_an_expression_of_sizes(make, text):
    assert str(describe_made(make)) == f"float64{text} Constant(value=1)"


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (lambda b, s: np.tile(np.arange(s), (b, 1)), Positions()),
        (lambda b, s: np.tril(np.ones((s, s), np.int64))[-b:], PaddingMask()),
        (lambda b, s: np.triu(np.ones((s, s), np.int64))[:b], PaddingMask("left")),
        (lambda b, s: (np.arange(b * s) % 2).reshape(b, s), Uniform(0, 2)),
        (lambda b, s: np.linspace(5, 6, b * s).reshape(b, s).astype(np.float32), Uniform(5, 6.000000000000001)),
        (lambda b, s: np.linspace(0, 0.9, b * s).reshape(b, s).astype(np.float32), Uniform(0, 1)),
        (lambda b, s: np.zeros((b, s), bool), Constant(0)),
    ],
)
def test_values_are_a_rule(make, rule):
    assert describe_made(make).values == rule


def test_random_numbers_are_the_same_each_time_and_the_state_stays():
    def make(b, s):
        return np.random.randint(0, 1000, (b, s)) + random.randrange(1000)  # noqa: NPY002

    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    first = describe_made(make)
    after = np.random.rand(), random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)
    assert after == (np.random.rand(), random.random())  # noqa: NPY002
    np.random.seed(4)  # noqa: NPY002
    assert describe_made(make) == first


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda b, s: None, "returned None: it must return a tensor"),
        (lambda b, s: 3, "returned a value of type int: it must"),
        (lambda b, s: [], "returned an empty list: it must"),
        (lambda b, s: {"a": "text"}, r"returned a value of type str in lidar_points\.a: it must"),
        (lambda b, s: [np.ones(b)] * b, "returned other containers at other sizes"),
        (
            lambda b, s: np.ones((b, s * s)),
            "axis 1 of lidar_points is 256, and 1024 at sequence_length=32: an axis must be",
        ),
        (lambda b, s: 1 / 0, "failed with ZeroDivisionError: division by zero"),
    ],
)
def test_a_result_that_is_none_of_an_input_names_the_class(make, reason):
    with pytest.raises(OptionError, match=rf"^Made: .*{reason}"):
        describe_made(make)


def test_a_description_that_fails_names_the_class():
    class Failing(DummyInputGenerator):
        def describe_lidar_points(self):
            raise KeyError("points")

    class Wrong(Failing):
        def describe_lidar_points(self):
            return np.ones(3)

    class Bare(Failing):
        def __init__(self, *arguments, **shapes):
            raise ValueError("no points")

    with pytest.raises(OptionError, match=r"^Failing: describe_lidar_points failed with KeyError: 'points'"):
        dummyio.describe(LIDAR, generators=(Failing,))
    with pytest.raises(ValueError, match=r"^Wrong: .* is not a description: use a TensorSpec"):
        dummyio.describe(LIDAR, generators=(Wrong,))
    with pytest.raises(OptionError, match=r"^Bare: the constructor failed with ValueError: no points"):
        dummyio.describe(LIDAR, generators=(Bare,))


@pytest.mark.parametrize(
    ("shape", "mask", "reason"),
    [
        (
            (3, Dim("length", 16)),
            "attention_mask",
            "has shape .*its mask 'attention_mask'.*: all axes but the last must be equal",
        ),
        ((Dim("batch_size", 9), 7), None, "Dim 'batch_size' is defined twice"),
    ],
)
def test_a_shape_that_contradicts_other_inputs_names_the_class(shape, mask, reason):
    class Odd(DummyInputGenerator):
        def describe_input_ids(self):
            return self.ints("input_ids", shape, TokenIds(9, mask=mask))

    with pytest.raises(ValueError, match=rf"^Odd: .*{reason}"):
        dummyio.describe(BERT, generators=(Odd,))


class NeedsMore(DummyInputGenerator):
    def __init__(self, task, normalized_config, colour):
        pass

    def describe_lidar_points(self):
        pass


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("Lidar", r"give a tuple of generator classes"),
        (Lidar, r"generators=Lidar: give a tuple"),
        ((3,), "3 is not a class"),
        ((Lidar("", LIDAR),), "is not a class: give the class of a generator, not an instance"),
        ((dict,), r"dict is not a generator: it has no method supports_input\(input_name\) and no method generate\("),
        (
            (NeedsMore,),
            r"NeedsMore is not a generator: its constructor must take \(task, normalized_config, \*\*shapes\)",
        ),
        ((type("Empty", (DummyInputGenerator,), {}),), "Empty describes no input"),
        (
            (type("Text", (DummyInputGenerator,), {"SUPPORTED_INPUT_NAMES": "ids"}),),
            r"Text: SUPPORTED_INPUT_NAMES='ids': give a tuple",
        ),
        (
            (type("Hollow", (DummyInputGenerator,), {"SUPPORTED_INPUT_NAMES": ("ids",)}),),
            "has 'ids', and the class has neither describe_ids nor generate",
        ),
    ],
)
def test_what_is_no_generator_is_refused_with_what_is_missing(given, reason):
    with pytest.raises(OptionError, match=reason):
        dummyio.describe(BERT, generators=given)


def test_a_registered_generator_is_for_arguments_of_the_model_only():
    with registered_generators(Lidar):
        assert "lidar_points" not in dummyio.describe(BERT)
        with pytest.raises(SourceError, match="model type 'lidar-net'"):
            dummyio.describe(LIDAR)
    with registered_generators(Lidar, model_type="lidar-net"):  # which has no signature to read
        assert list(dummyio.describe(LIDAR)) == ["lidar_points"]


def test_a_generator_of_which_the_model_takes_nothing_is_refused():
    pytest.importorskip("transformers")
    with pytest.raises(OptionError, match=r"^Lidar is for lidar_points, and BertModel takes input_ids, "):
        dummyio.describe(BERT, generators=(Lidar,))


def test_a_size_that_no_dim_has_is_refused():
    with pytest.raises(
        OptionError, match=r"^num_pionts=4: no dim of lidar_points has that name\. Did you mean 'num_points'"
    ):
        dummyio.describe(LIDAR, generators=(Lidar,), num_pionts=4)


def test_a_source_that_declares_its_inputs_takes_no_generators():
    with pytest.raises(OptionError, match=r"^generators=\(Lidar\): a saved spec declares its inputs itself"):
        dummyio.describe(dummyio.describe(BERT), generators=(Lidar,))


def test_an_attribute_that_is_a_size_changes_what_is_generated():
    generator = DummyTextInputGenerator("text-generation", GPT2, batch_size=3)
    assert (generator.batch_size, generator.sequence_length, generator.vocab_size) == (3, 16, 50)
    generator.sequence_length = 1
    assert generator.generate("input_ids", framework="np").shape == (3, 1)
    with pytest.raises(AttributeError, match="DummyTextInputGenerator has no attribute 'colour'"):
        generator.colour  # noqa: B018


def test_a_model_of_diffusers_takes_generators():
    pytest.importorskip("diffusers")

    class Sample(DummyInputGenerator):
        def describe_sample(self):
            return self.floats("sample", (self.dim("batch_size"), 4, 8, 8), Constant(2))

    config = {"_class_name": "UNet2DConditionModel", "in_channels": 4, "sample_size": 8, "cross_attention_dim": 16}
    spec = dummyio.describe(config, generators=(Sample,))
    usual = dummyio.describe(config)
    assert spec["sample"].values == Constant(2)
    assert {name: spec[name] for name in list(spec)[1:]} == {name: usual[name] for name in list(usual)[1:]}
    with pytest.raises(
        OptionError, match=r"^Lidar is for lidar_points, and UNet2DConditionModel takes sample, timestep, "
    ):
        dummyio.describe(config, generators=(Lidar,))


class TestModules:
    """PyTorch modules, of Transformers and of nobody."""

    def test_a_transformers_model_of_the_user(self):
        transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")

        class Config(transformers.PreTrainedConfig):
            model_type = "lidar-net"
            point_size: int = 4
            hidden_size: int = 8

        class Model(transformers.PreTrainedModel):
            config_class = Config

            def __init__(self, config):
                super().__init__(config)
                self.points = torch.nn.Linear(config.point_size, config.hidden_size)
                self.post_init()

            def forward(self, lidar_points, radar=None, return_dict=None):
                hidden = self.points(lidar_points).mean(1)
                return hidden if radar is None else hidden + radar.float().mean(1, keepdim=True)

        model = Model(Config()).eval()
        found = dummyio.describe(model)["lidar_points"]  # by runs
        assert found.sizes()[-1] == 4
        spec = dummyio.describe(model, generators=(OptimumLidar,))
        assert list(spec) == ["lidar_points", "radar"]
        assert model(**spec.generate("pt", num_points=9)).shape == (2, 8)
        assert list(dummyio.describe(model, generators=(Lidar,))) == ["lidar_points"]

    @pytest.fixture
    def module(self):
        torch = pytest.importorskip("torch")

        class Net(torch.nn.Module):
            config = LIDAR

            def __init__(self):
                super().__init__()
                self.points, self.words = torch.nn.Linear(4, 8), torch.nn.Embedding(50, 8)

            def forward(self, lidar_points, input_ids, radar=None, scale: float = 1.0):
                hidden = self.points(lidar_points).mean(1) + self.words(input_ids).mean(1)
                return scale * (hidden if radar is None else hidden + radar.float().mean(1, keepdim=True))

        return Net()

    def test_a_search_finds_what_generators_leave(self, module):
        spec = dummyio.describe(module, generators=(OptimumLidar,), num_points=7)
        assert str(spec["lidar_points"]) == "float32[batch_size, num_points, 4] Uniform(low=-1)"
        assert str(spec["input_ids"]) == "int64[batch_size, sequence_length] TokenIds(high=50)"
        assert str(spec["radar"]) == "int64[batch_size, num_points * 2 + 1] Uniform(low=20, high=30)"
        assert spec.dims["num_points"].size == 7
        assert spec.provenance["input radar"] == "described by a generator of the caller"
        assert module(**spec.generate("pt", num_points=3)).shape == (2, 8)

    def test_a_registered_generator_serves_modules_too(self, module):
        with registered_generators(Lidar):
            assert "num_points" in dummyio.describe(module, scale=2.0).dims
        assert "num_points" not in dummyio.describe(module).dims

    def test_what_the_module_refuses_is_refused(self, module):
        class Wide(DummyInputGenerator):
            def describe_lidar_points(self):
                return self.floats("lidar_points", (self.dim("batch_size"), self.dim("num_points", size=6), 5))

            def describe_input_ids(self):
                return self.ints("input_ids", (self.dim("batch_size"), 4), Uniform(0, 50))

        class OnlyPoints(Wide):
            SUPPORTED_INPUT_NAMES = ("lidar_points",)

        with pytest.raises(
            SourceError, match=r"Net refuses the inputs that its generators describe.*batch_size, num_points, 5"
        ):
            dummyio.describe(module, generators=(Wide,))
        with pytest.raises(OptionError, match=r"lidar_points is described as float32\[batch_size, num_points, 5\]"):
            dummyio.describe(module, generators=(OnlyPoints,))

    def test_a_generator_without_an_argument_is_refused(self):
        torch = pytest.importorskip("torch")
        with pytest.raises(OptionError, match=r"^Lidar is for lidar_points, and Linear takes input"):
            dummyio.describe(torch.nn.Linear(3, 4), generators=(Lidar,))
