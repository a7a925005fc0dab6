"""Tasks: their names, which of Transformers' tables lists their classes, and how such classes' names end.

The table is data: a task is found from a model's class, and a class from a task and a model type.
"""

from __future__ import annotations

from dataclasses import dataclass

from dummyio.errors import OptionError, SourceError, near
from dummyio.huggingface.auto import class_for, tables_of

__all__ = ["PAST", "TASKS", "Task", "class_of_task", "task_of_class"]

PAST = "-with-past"
"""Ending of the name of a task whose model gets a cache."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task."""

    name: str
    tables: tuple[str, ...]
    """Transformers' tables of classes for it, without ``MODEL_`` and ``_MAPPING_NAMES``."""
    endings: tuple[str, ...]
    """Endings of class names, for classes that stand in no table."""


TASKS = (
    Task("fill-mask", ("FOR_MASKED_LM",), ("ForMaskedLM",)),
    Task("text-generation", ("FOR_CAUSAL_LM",), ("ForCausalLM", "LMHeadModel")),
    Task("automatic-speech-recognition", ("FOR_SPEECH_SEQ_2_SEQ", "FOR_CTC"), ("ForCTC", "ForSpeechToText")),
    Task("image-text-to-text", ("FOR_IMAGE_TEXT_TO_TEXT", "FOR_MULTIMODAL_LM"), ()),
    Task("text2text-generation", ("FOR_SEQ_TO_SEQ_CAUSAL_LM",), ("ForConditionalGeneration",)),
    Task("text-classification", ("FOR_SEQUENCE_CLASSIFICATION",), ("ForSequenceClassification",)),
    Task("question-answering", ("FOR_QUESTION_ANSWERING",), ("ForQuestionAnswering", "ForQuestionAnsweringSimple")),
    Task("table-question-answering", ("FOR_TABLE_QUESTION_ANSWERING",), ()),
    Task("visual-question-answering", ("FOR_VISUAL_QUESTION_ANSWERING",), ()),
    Task("document-question-answering", ("FOR_DOCUMENT_QUESTION_ANSWERING",), ()),
    Task("token-classification", ("FOR_TOKEN_CLASSIFICATION",), ("ForTokenClassification",)),
    Task("multiple-choice", ("FOR_MULTIPLE_CHOICE",), ("ForMultipleChoice", "DoubleHeadsModel")),
    Task("next-sentence-prediction", ("FOR_NEXT_SENTENCE_PREDICTION",), ("ForNextSentencePrediction",)),
    Task("zero-shot-image-classification", ("FOR_ZERO_SHOT_IMAGE_CLASSIFICATION",), ()),
    Task("zero-shot-object-detection", ("FOR_ZERO_SHOT_OBJECT_DETECTION",), ()),
    Task("image-classification", ("FOR_IMAGE_CLASSIFICATION",), ("ForImageClassification",)),
    Task("masked-im", ("FOR_MASKED_IMAGE_MODELING",), ("ForMaskedImageModeling",)),
    Task("object-detection", ("FOR_OBJECT_DETECTION",), ("ForObjectDetection",)),
    Task("semantic-segmentation", ("FOR_SEMANTIC_SEGMENTATION",), ("ForSemanticSegmentation",)),
    Task("instance-segmentation", ("FOR_INSTANCE_SEGMENTATION",), ("ForInstanceSegmentation",)),
    Task("universal-segmentation", ("FOR_UNIVERSAL_SEGMENTATION",), ("ForUniversalSegmentation",)),
    Task("image-segmentation", ("FOR_IMAGE_SEGMENTATION",), ()),
    Task("depth-estimation", ("FOR_DEPTH_ESTIMATION",), ("ForDepthEstimation",)),
    Task("keypoint-detection", ("FOR_KEYPOINT_DETECTION",), ("ForKeypointDetection",)),
    Task("keypoint-matching", ("FOR_KEYPOINT_MATCHING",), ("ForKeypointMatching",)),
    Task("image-to-image", ("FOR_IMAGE_TO_IMAGE",), ("ForImageSuperResolution",)),
    Task("image-matting", ("FOR_IMAGE_MATTING",), ("ForImageMatting",)),
    Task("mask-generation", ("FOR_MASK_GENERATION",), ()),
    Task("video-classification", ("FOR_VIDEO_CLASSIFICATION",), ("ForVideoClassification",)),
    Task("audio-classification", ("FOR_AUDIO_CLASSIFICATION",), ("ForAudioClassification",)),
    Task("audio-frame-classification", ("FOR_AUDIO_FRAME_CLASSIFICATION",), ("ForAudioFrameClassification",)),
    Task("audio-xvector", ("FOR_AUDIO_XVECTOR",), ("ForXVector",)),
    Task("text-to-audio", ("FOR_TEXT_TO_WAVEFORM", "FOR_TEXT_TO_SPECTROGRAM"), ("ForTextToSpeech",)),
    Task("time-series-prediction", ("FOR_TIME_SERIES_PREDICTION",), ("ForPrediction",)),
    Task("time-series-classification", ("FOR_TIME_SERIES_CLASSIFICATION",), ("ForTimeSeriesClassification",)),
    Task("time-series-regression", ("FOR_TIME_SERIES_REGRESSION",), ("ForRegression",)),
    Task("reinforcement-learning", ("FOR_DECISION",), ()),
    Task("pretraining", ("FOR_PRETRAINING",), ("ForPreTraining",)),
    Task("backbone", ("FOR_BACKBONE",), ("Backbone",)),
    Task("feature-extraction", ("MAPPING_NAMES", "FOR_TEXT_ENCODING", "FOR_IMAGE"), ("Model", "EncoderModel")),
)

_ALIASES = {
    "default": "feature-extraction",
    "causal-lm": "text-generation",
    "masked-lm": "fill-mask",
    "seq2seq-lm": "text2text-generation",
    "sequence-classification": "text-classification",
    "sentiment-analysis": "text-classification",
    "summarization": "text2text-generation",
    "translation": "text2text-generation",
    "ner": "token-classification",
    "text-to-speech": "text-to-audio",
    "time-series-forecasting": "time-series-prediction",
    "image-to-text": "image-text-to-text",
    "speech2seq-lm": "automatic-speech-recognition",
}


def _table(name: str) -> str:
    return f"MODEL_{name}" if name == "MAPPING_NAMES" else f"MODEL_{name}_MAPPING_NAMES"


def find_task(name: str) -> Task:
    """Return the task of that name or alias, with or without ``-with-past``; raise `OptionError` for any other."""
    base = name.removesuffix(PAST)
    base = _ALIASES.get(base, base)
    for task in TASKS:
        if task.name == base:
            return task
    raise OptionError(f"task={name!r} is unknown. {near(base, [*(t.name for t in TASKS), *_ALIASES])}")


def task_of_class(class_name: str) -> str | None:
    """Return the task that a class is for: by the tables that list it, else by how its name ends."""
    listed = set(tables_of(class_name))
    for task in TASKS:
        if listed.intersection(_table(name) for name in task.tables):
            return task.name
    for task in TASKS:
        if class_name.endswith(task.endings or ("\0",)):
            return task.name
    return None


def class_of_task(model_type: str, name: str) -> str:
    """Return the class that does a task for a model type; raise `SourceError`, with the tasks that it can do, for none."""
    task = find_task(name)
    for table in task.tables:
        found = class_for(model_type, _table(table))
        if found is not None:
            return found
    able = [t.name for t in TASKS if any(class_for(model_type, _table(table)) for table in t.tables)]
    raise SourceError(
        f"task={name!r}: no class of model type {model_type!r} does it. "
        + (f"It can do {', '.join(able)}." if able else "Transformers lists no class of that type.")
    )
