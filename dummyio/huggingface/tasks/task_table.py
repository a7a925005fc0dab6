"""The table of tasks: for each the tables of Transformers that list its classes, and the endings of their names.

Data only; `dummyio.huggingface.tasks` looks things up in it. The order decides where a class is listed for several tasks:
heads that do one thing stand before tables that list whatever can be used for something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

Family: TypeAlias = Literal["text", "vision", "audio", "multimodal", "time series", "reinforcement learning", "any"]
"""What the data of a task are."""


@dataclass(frozen=True, slots=True)
class Task:
    """One task."""

    name: str
    family: Family
    tables: tuple[str, ...] = ()
    """Transformers' tables of classes for it, without ``MODEL_`` and ``_MAPPING_NAMES``, the usual first."""
    endings: tuple[str, ...] = ()
    """Endings of class names, for classes that stand in no table, the usual first."""
    takes_past: bool = False
    """Whether models of this task generate step by step, so that ``-with-past`` makes sense."""
    needs: str = ""
    """An argument without which a class does not do this task; then any class of the model type that takes it does."""


def _for_head(name: str, family: Family, table: str, *endings: str, takes_past: bool = False) -> Task:
    """Return the task of one table whose class names end like the name of the table: ``FOR_DEPTH_ESTIMATION``, ``ForDepthEstimation``."""
    own = "".join(part.capitalize() for part in table.split("_"))
    return Task(name, family, (table,), (own, *endings), takes_past)


_SEGMENTATIONS = tuple(f"FOR_{kind}_SEGMENTATION" for kind in ("IMAGE", "SEMANTIC", "INSTANCE", "UNIVERSAL"))

TASKS: tuple[Task, ...] = (
    Task("text2text-generation", "text", ("FOR_SEQ_TO_SEQ_CAUSAL_LM",), ("ForTextToText",), takes_past=True),
    Task("fill-mask", "text", ("FOR_MASKED_LM",), ("ForMaskedLM",)),
    Task(
        "text-generation",
        "text",
        ("FOR_CAUSAL_LM",),
        ("ForCausalLM", "LMHeadModel", "WithLMHead", "ForBlockDiffusion"),
        takes_past=True,
    ),
    Task(
        "automatic-speech-recognition",
        "audio",
        ("FOR_SPEECH_SEQ_2_SEQ", "FOR_CTC", "FOR_RNNT", "FOR_TDT"),
        ("ForSpeechToText", "ForCTC", "ForRNNT", "ForTDT"),
        takes_past=True,
    ),
    Task("image-text-to-text", "multimodal", ("FOR_IMAGE_TEXT_TO_TEXT", "FOR_MULTIMODAL_LM"), takes_past=True),
    Task(
        "image-to-text",
        "multimodal",
        ("FOR_VISION_2_SEQ", "FOR_IMAGE_TEXT_TO_TEXT"),
        ("ForVisionText2Text",),
        takes_past=True,
    ),
    _for_head("text-classification", "text", "FOR_SEQUENCE_CLASSIFICATION"),
    _for_head("question-answering", "text", "FOR_QUESTION_ANSWERING", "ForQuestionAnsweringSimple"),
    Task("table-question-answering", "text", ("FOR_TABLE_QUESTION_ANSWERING",)),
    _for_head("visual-question-answering", "multimodal", "FOR_VISUAL_QUESTION_ANSWERING", takes_past=True),
    _for_head("document-question-answering", "multimodal", "FOR_DOCUMENT_QUESTION_ANSWERING", takes_past=True),
    _for_head("token-classification", "text", "FOR_TOKEN_CLASSIFICATION"),
    _for_head("multiple-choice", "text", "FOR_MULTIPLE_CHOICE"),
    _for_head("next-sentence-prediction", "text", "FOR_NEXT_SENTENCE_PREDICTION"),
    _for_head(
        "zero-shot-image-classification",
        "multimodal",
        "FOR_ZERO_SHOT_IMAGE_CLASSIFICATION",
        "ForImageTextRetrieval",
        "ForImageAndTextRetrieval",
    ),
    _for_head("zero-shot-object-detection", "multimodal", "FOR_ZERO_SHOT_OBJECT_DETECTION"),
    _for_head("image-classification", "vision", "FOR_IMAGE_CLASSIFICATION", "ForImageClassificationWithTeacher"),
    _for_head("masked-im", "vision", "FOR_MASKED_IMAGE_MODELING"),
    _for_head("image-generation", "vision", "FOR_CAUSAL_IMAGE_MODELING", takes_past=True),
    _for_head("object-detection", "vision", "FOR_OBJECT_DETECTION"),
    _for_head("semantic-segmentation", "vision", "FOR_SEMANTIC_SEGMENTATION"),
    _for_head("instance-segmentation", "vision", "FOR_INSTANCE_SEGMENTATION"),
    _for_head("universal-segmentation", "vision", "FOR_UNIVERSAL_SEGMENTATION"),
    Task("image-segmentation", "vision", _SEGMENTATIONS, ("ForImageSegmentation", "ForSegmentation")),
    _for_head("depth-estimation", "vision", "FOR_DEPTH_ESTIMATION"),
    _for_head("normal-estimation", "vision", "FOR_NORMAL_ESTIMATION"),
    _for_head("pointmap-estimation", "vision", "FOR_POINTMAP_ESTIMATION"),
    Task(
        "keypoint-detection",
        "vision",
        ("FOR_KEYPOINT_DETECTION", "FOR_POSE_ESTIMATION"),
        ("ForKeypointDetection", "ForPoseEstimation"),
    ),
    _for_head("keypoint-matching", "vision", "FOR_KEYPOINT_MATCHING"),
    Task("image-to-image", "vision", ("FOR_IMAGE_TO_IMAGE",), ("ForImageSuperResolution", "ForImageToImage")),
    _for_head("image-matting", "vision", "FOR_IMAGE_MATTING"),
    _for_head("mask-generation", "vision", "FOR_MASK_GENERATION"),
    _for_head("text-recognition", "vision", "FOR_TEXT_RECOGNITION", "ForSceneTextRecognition"),
    _for_head("table-recognition", "vision", "FOR_TABLE_RECOGNITION"),
    _for_head("video-classification", "vision", "FOR_VIDEO_CLASSIFICATION"),
    Task("optical-flow", "vision", (), ("ForOpticalFlow",)),
    _for_head("audio-classification", "audio", "FOR_AUDIO_CLASSIFICATION"),
    _for_head("audio-frame-classification", "audio", "FOR_AUDIO_FRAME_CLASSIFICATION"),
    Task("audio-xvector", "audio", ("FOR_AUDIO_XVECTOR",), ("ForXVector",)),
    Task(
        "text-to-audio",
        "audio",
        ("FOR_TEXT_TO_WAVEFORM", "FOR_TEXT_TO_SPECTROGRAM"),
        ("ForTextToSpeech",),
        takes_past=True,
    ),
    Task("audio-to-audio", "audio", (), ("ForSpeechToSpeech",), takes_past=True),
    Task("audio-tokenization", "audio", ("FOR_AUDIO_TOKENIZATION_NAMES",)),
    Task("time-series-forecasting", "time series", ("FOR_TIME_SERIES_PREDICTION",), ("ForPrediction",)),
    _for_head("time-series-classification", "time series", "FOR_TIME_SERIES_CLASSIFICATION", "ForClassification"),
    Task("time-series-regression", "time series", ("FOR_TIME_SERIES_REGRESSION",), ("ForRegression",)),
    Task("reinforcement-learning", "reinforcement learning", needs="returns_to_go"),
    _for_head("decision", "any", "FOR_DECISION"),
    _for_head("retrieval", "multimodal", "FOR_RETRIEVAL"),
    # What a family of its own comes from stands behind all others, for these endings and tables say the least.
    Task("text2text-generation", "text", (), ("ForConditionalGeneration",), takes_past=True),
    Task("pretraining", "any", ("FOR_PRETRAINING",), ("ForPreTraining", "ForPretraining")),
    Task("backbone", "vision", ("FOR_BACKBONE",), ("Backbone",)),
    Task(
        "feature-extraction",
        "any",
        ("MAPPING_NAMES", "FOR_TEXT_ENCODING", "FOR_IMAGE"),
        ("Model", "EncoderModel", "ModelWithProjection"),
        takes_past=True,
    ),
)
"""All tasks. One name may have several rows: the first says what it is, all say where its classes are."""

ALIASES: Mapping[str, str] = {
    "default": "feature-extraction",
    "sentence-similarity": "feature-extraction",
    "image-feature-extraction": "feature-extraction",
    "causal-lm": "text-generation",
    "conversational": "text-generation",
    "masked-lm": "fill-mask",
    "seq2seq-lm": "text2text-generation",
    "summarization": "text2text-generation",
    "translation": "text2text-generation",
    "table-to-text": "text2text-generation",
    "sequence-classification": "text-classification",
    "sentiment-analysis": "text-classification",
    "zero-shot-classification": "text-classification",
    "text-ranking": "text-classification",
    "ner": "token-classification",
    "vqa": "visual-question-answering",
    "vision2seq-lm": "image-to-text",
    "video-text-to-text": "image-text-to-text",
    "audio-text-to-text": "image-text-to-text",
    "any-to-any": "image-text-to-text",
    "speech2seq-lm": "automatic-speech-recognition",
    "audio-ctc": "automatic-speech-recognition",
    "text-to-speech": "text-to-audio",
    "voice-activity-detection": "audio-frame-classification",
    "image-super-resolution": "image-to-image",
    "pose-estimation": "keypoint-detection",
    "visual-document-retrieval": "retrieval",
    "time-series-prediction": "time-series-forecasting",
}
"""Other names, such as those that model cards use → the task's own."""
