"""Configurations read from source agree with the objects that the library makes."""

import dataclasses
import re
import textwrap
import warnings
from pathlib import Path

import pytest

from dummyio.huggingface.config.class_defaults import (
    attribute_map,
    class_defaults,
    configuration_defaults,
    sub_config_defaults,
    sub_configs,
)
from dummyio.huggingface.config.configuration import read_configuration
from dummyio.huggingface.source.auto_tables import class_source, configuration_class
from dummyio.huggingface.source.class_lookup import base_classes, class_in_file
from dummyio.huggingface.source.statements import find_method

transformers = pytest.importorskip("transformers")

TYPES = [
    "albert",
    "bart",
    "bert",
    "blip",
    "bloom",
    "clip",
    "clip_text_model",
    "deberta-v2",
    "detr",
    "distilbert",
    "gpt2",
    "layoutlmv3",
    "llama",
    "llava",
    "mamba",
    "mixtral",
    "opt",
    "patchtst",
    "resnet",
    "roberta",
    "sam",
    "segformer",
    "t5",
    "vit",
    "wav2vec2",
    "whisper",
]


def real(model_type: str):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's deprecations
        return transformers.AutoConfig.for_model(model_type)


def computed_attributes(model_type: str) -> set[str]:
    """The attributes that the code of a configuration class may set from others: their defaults may not stay."""
    owners = base_classes(class_source(configuration_class(model_type), model_type, "configuration"))
    bodies = (find_method(owner.text, name) or "" for owner in owners for name in ("__post_init__", "__init__"))
    return {name for body in bodies for name in re.findall(r"\n +self\.(\w+)(?:: [^=\n]+)? = ", body)}


@pytest.mark.parametrize("model_type", TYPES)
def test_defaults_are_those_of_the_object(model_type: str):
    made, found = real(model_type), configuration_defaults(model_type)
    other = {name for name, value in found.items() if getattr(made, name) != value}
    # The library's own base classes set these through properties and methods; the rest is named.
    through_methods = {"id2label", "label2id", "rope_parameters"}
    assert other <= computed_attributes(model_type) | set(sub_configs(model_type)) | through_methods
    assert found["model_type"] == model_type


@pytest.mark.parametrize("model_type", TYPES)
def test_no_default_is_missed(model_type: str):
    made = real(model_type)
    if not dataclasses.is_dataclass(made):
        pytest.skip("this release writes its defaults in __init__")
    stated = {each.name: each.default for each in dataclasses.fields(made) if each.default is not dataclasses.MISSING}
    found = configuration_defaults(model_type)
    assert {name: found[name] for name in stated} == stated


@pytest.mark.parametrize("model_type", TYPES)
def test_attribute_map(model_type: str):
    assert attribute_map(model_type) == real(model_type).attribute_map


@pytest.mark.parametrize("model_type", ["clip", "blip", "llava", "sam", "qwen2_vl", "musicgen", "siglip", "bark"])
def test_sub_configs(model_type: str):
    made = real(model_type)
    found = sub_configs(model_type)
    assert set(found) == set(made.sub_configs)
    for attribute, kind in found.items():
        assert type(getattr(made, attribute)).__name__ == (configuration_class(kind) or kind)


def test_what_the_outer_configuration_gives_to_the_inner():
    given, made = sub_config_defaults("llava")["vision_config"], real("llava").vision_config
    names = ("hidden_size", "patch_size", "image_size", "num_channels", "num_hidden_layers")
    assert [given[name] for name in names] == [getattr(made, name) for name in names]
    assert given["image_size"] != configuration_defaults(sub_configs("llava")["vision_config"])["image_size"]


def test_a_configuration_class_can_be_asked_for_by_name():
    assert configuration_defaults("BertConfig") == configuration_defaults("bert")
    assert attribute_map("GPT2Config") == attribute_map("gpt2")


def test_what_is_unknown():
    assert configuration_defaults("no-such-type") is None
    assert attribute_map("no-such-type") == {}
    assert sub_configs("no-such-type") == {}


def written(folder: Path, text: str, name: str) -> dict[str, object]:
    path = folder / "configuration_own.py"
    path.write_text(textwrap.dedent(text), encoding="utf-8")
    return dict(class_defaults(class_in_file(path, name)))


def test_keyword_defaults(tmp_path: Path):
    found = written(
        tmp_path,
        """
        from transformers import PretrainedConfig

        class OwnConfig(PretrainedConfig):
            model_type = "own"

            def __init__(self, size, width=3 * 8, names=None, rate=some.CONSTANT, *, flag=True, **kwargs):
                self.size = size
                super().__init__(**kwargs)
        """,
        "OwnConfig",
    )
    assert found.items() >= {"model_type": "own", "width": 24, "names": None, "flag": True}.items()
    assert not {"size", "rate", "self"} & set(found)
    assert found["is_encoder_decoder"] is False  # the library's base class says so


def test_fields_and_their_makers(tmp_path: Path):
    found = written(
        tmp_path,
        """
        class BaseConfig:
            model_type: ClassVar[str] = ""
            size: int = 1
            depth: int = 1
            rate: float = 0.5
            plain = 1

        class OwnConfig(BaseConfig):
            model_type = "own"
            size: int = bounded(min=1)(default=2)
            depth = 7
            rate: float = OTHER
            plain = 2
            items: list[int] = field(default_factory=list)
            pair: tuple[int, int] = field(default_factory=lambda: (1, 2))
            needed: int
        """,
        "OwnConfig",
    )
    # An assignment without annotation changes class attributes and no field; a default nobody can read is left out.
    assert found == {"model_type": "own", "size": 2, "depth": 1, "plain": 2, "items": [], "pair": (1, 2)}


def test_a_part_of_another_model_type_has_the_defaults_of_that_type():
    """The decoder of an encoder-decoder is BERT by default; one that states GPT-2 has GPT-2's names and numbers."""
    parts = {"encoder": {"model_type": "vit"}, "decoder": {"model_type": "gpt2", "n_layer": 2, "n_head": 4}}
    decoder = read_configuration({"model_type": "vision-encoder-decoder", **parts}).normalized({}).part("decoder")
    assert (decoder.get("num_layers"), decoder.get("num_attention_heads"), decoder.get("hidden_size")) == (2, 4, 768)
