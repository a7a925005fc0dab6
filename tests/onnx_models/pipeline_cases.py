"""Pipelines of Transformers that need no files: a tiny model with a tokenizer or processors that are made here, and an input."""

import numpy as np
import transformers
from PIL import Image
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers_cases import build_model

WORDS = [f"w{index}" for index in range(80)]
TEXT = "w1 w2 w3 w4 w5 w6"
OTHER = "w9 w8 w7"
LABELS = ["w1 w2", "w3", "w4 w5"]
_SPECIAL = ["[PAD]", "[BOS]", "[EOS]", "[UNK]", "[MASK]", "[CLS]", "[SEP]"]


def make_tokenizer(size=99, **options):
    """Return a tokenizer of words, as many as the tiny models have rows of embeddings."""
    names = [*_SPECIAL, *WORDS]
    names += [f"x{index}" for index in range(size - 1 - len(names))]
    names.append("<image>")
    tokens = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    tokens.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokens.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 5), ("[SEP]", 6)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens,
        pad_token="[PAD]",
        bos_token="[BOS]",
        eos_token="[EOS]",
        unk_token="[UNK]",
        mask_token="[MASK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=60,
        additional_special_tokens=["<image>"],
        **options,
    )


def make_image(size=(40, 32), seed=0):
    """Return an image of noise."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 255, (*size, 3), dtype=np.uint8))


def make_sound(length=4000):
    """Return a sound of a quarter of a second."""
    return np.random.default_rng(0).normal(size=length).astype(np.float32)


def make_image_processor(name="ViTImageProcessorPil", **options):
    sizes = {"size": {"height": 32, "width": 32}}
    return getattr(transformers, name)(**{**sizes, **options})


class Case:
    """One pipeline: the class of its model, what it needs beside it, and its input."""

    def __init__(self, task, cls, given, options=None, *, changes=None, scale=1.0, **needs):
        self.task, self.cls, self.given, self.options, self.needs = task, cls, given, options or {}, needs
        self.changes, self.scale = changes or {}, scale

    def make_model(self):
        """Return the model."""
        model = build_model(self.cls, scale=self.scale)
        for name, value in self.changes.items():
            setattr(model.config, name, value)
        return model

    def make_needs(self):
        """Return tokenizer and processors."""
        return {name: make() for name, make in self.needs.items()}

    def run(self, model):
        """Return the results of the pipeline with a model."""
        pipe = transformers.pipeline(self.task, model=model, **self.make_needs())
        given = self.given() if callable(self.given) else self.given
        return pipe(**given, **self.options) if isinstance(given, dict) else pipe(given, **self.options)


def _speech():
    return transformers.Wav2Vec2FeatureExtractor()


def _clip():
    return transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})


def _detr():
    return transformers.DetrImageProcessor(size={"height": 64, "width": 64})


_ENTAILS = {
    "id2label": {0: "entailment", 1: "neutral", 2: "contradiction"},
    "label2id": {"entailment": 0, "neutral": 1, "contradiction": 2},
}
_WRITE = {"max_new_tokens": 6, "do_sample": False}

CASES = {
    "text-classification": Case(
        "text-classification",
        "RobertaForSequenceClassification",
        [TEXT, OTHER],
        {"top_k": None},
        tokenizer=make_tokenizer,
    ),
    "token-classification": Case(
        "token-classification", "DistilBertForTokenClassification", TEXT, tokenizer=make_tokenizer
    ),
    "fill-mask": Case("fill-mask", "BertForMaskedLM", "w1 [MASK] w3", tokenizer=make_tokenizer),
    "feature-extraction": Case("feature-extraction", "XLMRobertaModel", [TEXT, OTHER], tokenizer=make_tokenizer),
    "zero-shot-classification": Case(
        "zero-shot-classification",
        "RobertaForSequenceClassification",
        TEXT,
        {"candidate_labels": LABELS},
        changes=_ENTAILS,
        tokenizer=make_tokenizer,
    ),
    "document-question-answering": Case(
        "document-question-answering",
        "LayoutLMForQuestionAnswering",
        lambda: {
            "image": make_image(),
            "question": "w1",
            "word_boxes": [["w2", [0, 0, 10, 10]], ["w3", [10, 10, 20, 20]]],
        },
        tokenizer=make_tokenizer,
    ),
    "text-generation": Case("text-generation", "GPT2LMHeadModel", [TEXT, OTHER], _WRITE, tokenizer=make_tokenizer),
    "text-generation, beams": Case(
        "text-generation", "LlamaForCausalLM", TEXT, {**_WRITE, "num_beams": 2}, tokenizer=make_tokenizer
    ),
    "image-classification": Case(
        "image-classification", "ViTForImageClassification", make_image, image_processor=make_image_processor
    ),
    "image-feature-extraction": Case(
        "image-feature-extraction", "Dinov2Model", make_image, image_processor=make_image_processor
    ),
    "object-detection": Case(
        "object-detection", "DetrForObjectDetection", make_image, {"threshold": 0.0}, image_processor=_detr
    ),
    "image-segmentation": Case(
        "image-segmentation",
        "SegformerForSemanticSegmentation",
        make_image,
        image_processor=lambda: make_image_processor("SegformerImageProcessor"),
    ),
    "image-segmentation, instances": Case(
        "image-segmentation",
        "MaskFormerForInstanceSegmentation",
        make_image,
        {"threshold": 0.0, "subtask": "semantic"},
        image_processor=lambda: transformers.MaskFormerImageProcessor(size={"height": 64, "width": 64}),
    ),
    "depth-estimation": Case(
        "depth-estimation",
        "DPTForDepthEstimation",
        make_image,
        image_processor=lambda: make_image_processor("DPTImageProcessor"),
    ),
    "zero-shot-image-classification": Case(
        "zero-shot-image-classification",
        "CLIPModel",
        make_image,
        {"candidate_labels": LABELS},
        tokenizer=make_tokenizer,
        image_processor=_clip,
    ),
    "zero-shot-object-detection": Case(
        "zero-shot-object-detection",
        "OwlViTForObjectDetection",
        lambda: {"image": make_image(), "candidate_labels": LABELS, "threshold": 0.0},
        tokenizer=make_tokenizer,
        image_processor=lambda: transformers.OwlViTImageProcessor(
            size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32}
        ),
    ),
    "audio-classification": Case(
        "audio-classification", "SEWForSequenceClassification", make_sound, feature_extractor=_speech
    ),
    "automatic-speech-recognition, CTC": Case(
        "automatic-speech-recognition",
        "Wav2Vec2ForCTC",
        make_sound,
        feature_extractor=_speech,
        tokenizer=make_tokenizer,
    ),
    "automatic-speech-recognition": Case(
        "automatic-speech-recognition",
        "Speech2TextForConditionalGeneration",
        make_sound,
        {"generate_kwargs": {"max_new_tokens": 6}},
        scale=4.0,
        feature_extractor=lambda: transformers.Speech2TextFeatureExtractor(feature_size=16, num_mel_bins=16),
        tokenizer=make_tokenizer,
    ),
    "image-text-to-text": Case(
        "image-text-to-text",
        "LlavaForConditionalGeneration",
        lambda: {"images": make_image(), "text": "<image> w1 w2", "generate_kwargs": _WRITE},
        processor=lambda: transformers.LlavaProcessor(
            _clip(),
            make_tokenizer(),
            patch_size=8,
            vision_feature_select_strategy="default",
            num_additional_image_tokens=1,
        ),
    ),
}
"""Name → pipeline."""
