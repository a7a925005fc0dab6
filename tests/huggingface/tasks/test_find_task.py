"""Tasks: every table of the library leads to one, every usual name is known, and classes are found without a table."""

import pytest

import dummyio
from dummyio.errors import OptionError, SourceError
from dummyio.huggingface.source.auto_tables import auto_tables, classes_of
from dummyio.huggingface.tasks.find_task import (
    TASKS,
    canonical_task,
    class_of_task,
    class_supports_task,
    find_task,
    task_of_class,
    tasks_of,
)

USUAL = [
    "audio-classification",
    "audio-frame-classification",
    "audio-xvector",
    "automatic-speech-recognition",
    "depth-estimation",
    "document-question-answering",
    "feature-extraction",
    "fill-mask",
    "image-classification",
    "image-feature-extraction",
    "image-segmentation",
    "image-text-to-text",
    "image-to-image",
    "image-to-text",
    "instance-segmentation",
    "keypoint-detection",
    "keypoint-matching",
    "mask-generation",
    "masked-im",
    "multiple-choice",
    "object-detection",
    "question-answering",
    "reinforcement-learning",
    "semantic-segmentation",
    "sentence-similarity",
    "summarization",
    "table-question-answering",
    "text-classification",
    "text-generation",
    "text-to-audio",
    "text-to-speech",
    "text2text-generation",
    "time-series-forecasting",
    "token-classification",
    "translation",
    "universal-segmentation",
    "video-classification",
    "visual-question-answering",
    "zero-shot-classification",
    "zero-shot-image-classification",
    "zero-shot-object-detection",
]


@pytest.mark.parametrize("name", USUAL)
def test_usual_names_are_known(name):
    task = find_task(name)
    assert task.family
    assert find_task(f"{name}-with-past") == task


def test_every_table_leads_to_a_task():
    pytest.importorskip("transformers")
    from dummyio.huggingface.tasks.find_task import _table

    known = {_table(name) for task in TASKS for name in task.tables}
    assert set(auto_tables()) <= known


def test_rows_of_one_task_agree():
    for task in TASKS:
        first = find_task(task.name)
        assert (task.family, task.takes_past) == (first.family, first.takes_past)


def test_an_unknown_task_names_the_near_ones():
    with pytest.raises(OptionError, match="Did you mean 'text-classification'"):
        find_task("text-clasification")


def test_a_task_knows_what_it_is():
    assert find_task("ner").name == "token-classification"
    assert canonical_task("causal-lm-with-past") == "text-generation-with-past"
    assert (find_task("image-classification").family, find_task("image-classification").takes_past) == ("vision", False)
    assert find_task("translation").takes_past


@pytest.mark.parametrize(
    ("model_type", "task", "name"),
    [
        ("patchtst", "time-series-forecasting", "PatchTSTForPrediction"),
        ("informer", "time-series-forecasting", "InformerForPrediction"),
        ("detr", "image-segmentation", "DetrForSegmentation"),
        ("dpt", "image-segmentation", "DPTForSemanticSegmentation"),
        ("maskformer", "image-segmentation", "MaskFormerForInstanceSegmentation"),
        ("speecht5", "text-to-audio", "SpeechT5ForTextToSpeech"),
        ("vision-encoder-decoder", "image-to-text", "VisionEncoderDecoderModel"),
        ("decision_transformer", "reinforcement-learning", "DecisionTransformerModel"),
        ("bert", "fill-mask", "BertForMaskedLM"),
    ],
)
def test_the_class_of_a_task(model_type, task, name):
    pytest.importorskip("transformers")
    assert class_of_task(model_type, task) == name
    assert find_task(task).name in tasks_of(model_type)


def test_a_task_that_no_class_does_names_those_that_are_done():
    pytest.importorskip("transformers")
    with pytest.raises(SourceError, match="It can do fill-mask"):
        class_of_task("bert", "object-detection")


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("BartForConditionalGeneration", "text2text-generation"),
        ("BertForMaskedLM", "fill-mask"),
        ("SomethingForTokenClassification", "token-classification"),
        ("SomethingForConditionalGeneration", "text2text-generation"),
        ("Something", None),
    ],
)
def test_the_task_of_a_class(name, task):
    pytest.importorskip("transformers")
    assert task_of_class(name) == task


def test_a_class_may_do_several_tasks():
    pytest.importorskip("transformers")
    assert class_supports_task("DPTForSemanticSegmentation", "image-segmentation")
    assert class_supports_task("DPTForSemanticSegmentation", "semantic-segmentation")
    assert not class_supports_task("DPTForSemanticSegmentation", "image-classification")


def test_classes_of_types_that_share_a_folder():
    pytest.importorskip("transformers")
    assert "CLIPModel" in classes_of("clip")
    assert not [name for name in classes_of("clip") if name.startswith("CLIPVision")]
    assert classes_of("clip_vision_model")


def test_a_task_wins_over_the_class_that_a_configuration_names():
    pytest.importorskip("transformers")
    config = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    assert dummyio.describe(config).task == "fill-mask"
    assert dummyio.describe(config, task="ner").task == "token-classification"
    assert dummyio.describe(config, task="ner").provenance["model"] == "BertForTokenClassification"
