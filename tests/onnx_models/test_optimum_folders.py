"""Our folders run in Optimum's own classes, and Optimum's folders run in `AutoModelForONNX`, with equal outputs and tokens.

Optimum needs an older Transformers, so it has an environment of its own: ``nox -s optimum_folders`` installs it and runs this file;
``DUMMYIO_OPTIMUM_PYTHON`` names its Python.
"""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from transformers_cases import build_generator, build_model

import dummyio
from dummyio.onnx import AutoModelForONNX

PYTHON = os.environ.get("DUMMYIO_OPTIMUM_PYTHON")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PYTHON is None, reason="DUMMYIO_OPTIMUM_PYTHON names no Python with Optimum"),
    pytest.mark.filterwarnings("ignore"),
]
GREEDY = {"do_sample": False, "max_new_tokens": 8, "min_new_tokens": 8, "pad_token_id": 0}
MADE = ("decoder_", "position_ids", "token_type_ids")

OURS = [
    ("ORTModelForFeatureExtraction", "XLMRobertaModel"),
    ("ORTModelForFeatureExtraction", "Dinov2Model"),
    ("ORTModelForMaskedLM", "BertForMaskedLM"),
    ("ORTModelForSequenceClassification", "RobertaForSequenceClassification"),
    ("ORTModelForTokenClassification", "DistilBertForTokenClassification"),
    ("ORTModelForQuestionAnswering", "ElectraForQuestionAnswering"),
    ("ORTModelForMultipleChoice", "AlbertForMultipleChoice"),
    ("ORTModelForImageClassification", "ViTForImageClassification"),
    ("ORTModelForSemanticSegmentation", "SegformerForSemanticSegmentation"),
    ("ORTModelForImageToImage", "Swin2SRForImageSuperResolution"),
    ("ORTModelForAudioClassification", "SEWForSequenceClassification"),
    ("ORTModelForAudioFrameClassification", "UniSpeechSatForAudioFrameClassification"),
    ("ORTModelForAudioXVector", "WavLMForXVector"),
    ("ORTModelForCTC", "Wav2Vec2ForCTC"),
    ("ORTModelForZeroShotImageClassification", "CLIPModel"),
    ("ORTModelForCustomTasks", "YolosForObjectDetection"),
    ("ORTModelForCustomTasks", "LayoutLMForTokenClassification"),
    ("ORTModelForCausalLM", "GPT2LMHeadModel"),
    ("ORTModelForCausalLM", "LlamaForCausalLM"),
    ("ORTModelForCausalLM", "OPTForCausalLM"),
    ("ORTModelForCausalLM", "BloomForCausalLM"),
    ("ORTModelForCausalLM", "FalconForCausalLM"),
    ("ORTModelForCausalLM", "GPTBigCodeForCausalLM"),
    ("ORTModelForCausalLM", "MistralForCausalLM"),
    ("ORTModelForSeq2SeqLM", "T5ForConditionalGeneration"),
    ("ORTModelForSeq2SeqLM", "BartForConditionalGeneration"),
    ("ORTModelForSeq2SeqLM", "MarianMTModel"),
    ("ORTModelForSeq2SeqLM", "M2M100ForConditionalGeneration"),
    ("ORTModelForSeq2SeqLM", "EncoderDecoderModel"),
    ("ORTModelForSpeechSeq2Seq", "WhisperForConditionalGeneration"),
    ("ORTModelForSpeechSeq2Seq", "Speech2TextForConditionalGeneration"),
    ("ORTModelForSpeechSeq2Seq", "MoonshineForConditionalGeneration"),
    ("ORTModelForVision2Seq", "VisionEncoderDecoderModel"),
    ("ORTModelForPix2Struct", "Pix2StructForConditionalGeneration"),
]
"""Class of Optimum and class of Transformers: each class of Optimum that loads a folder of Transformers models is here."""
SOUNDS_ALONE = ("AudioClassification", "AudioFrameClassification", "AudioXVector", "CTC")
"""Classes of Optimum that give no mask: a model for them is exported without one."""

_PAST = "with-past"
THEIRS = {
    "bert": ("BertForMaskedLM", "fill-mask", {}),
    "roberta": ("RobertaForSequenceClassification", "text-classification", {}),
    "distilbert": ("DistilBertForTokenClassification", "token-classification", {}),
    "electra": ("ElectraForQuestionAnswering", "question-answering", {}),
    "albert": ("AlbertForMultipleChoice", "multiple-choice", {}),
    "xlm_roberta": ("XLMRobertaModel", "feature-extraction", {}),
    "vit": ("ViTForImageClassification", "image-classification", {}),
    "segformer": ("SegformerForSemanticSegmentation", "semantic-segmentation", {}),
    "swin2sr": ("Swin2SRForImageSuperResolution", "image-to-image", {}),
    "yolos": ("YolosForObjectDetection", "object-detection", {}),
    "clip": ("CLIPModel", "zero-shot-image-classification", {}),
    "wav2vec2": ("Wav2Vec2ForCTC", "automatic-speech-recognition", {}),
    "sew": ("SEWForSequenceClassification", "audio-classification", {}),
    "unispeech": ("UniSpeechSatForAudioFrameClassification", "audio-frame-classification", {}),
    "wavlm": ("WavLMForXVector", "audio-xvector", {}),
    "gpt2": ("GPT2LMHeadModel", f"text-generation-{_PAST}", {}),
    "gpt2, no past": ("GPT2LMHeadModel", "text-generation", {}),
    "llama": ("LlamaForCausalLM", f"text-generation-{_PAST}", {}),
    "opt": ("OPTForCausalLM", f"text-generation-{_PAST}", {}),
    "bloom": ("BloomForCausalLM", f"text-generation-{_PAST}", {}),
    "falcon": ("FalconForCausalLM", f"text-generation-{_PAST}", {}),
    "mpt": ("MptForCausalLM", f"text-generation-{_PAST}", {}),
    "gpt_bigcode": ("GPTBigCodeForCausalLM", f"text-generation-{_PAST}", {}),
    "gemma2": ("Gemma2ForCausalLM", f"text-generation-{_PAST}", {}),
    "t5, merged": ("T5ForConditionalGeneration", f"text2text-generation-{_PAST}", {}),
    "t5, parts": ("T5ForConditionalGeneration", f"text2text-generation-{_PAST}", {"no_post_process": True}),
    "t5, no past": ("T5ForConditionalGeneration", "text2text-generation", {}),
    "bart": ("BartForConditionalGeneration", f"text2text-generation-{_PAST}", {}),
    "marian": ("MarianMTModel", f"text2text-generation-{_PAST}", {}),
    "m2m_100": ("M2M100ForConditionalGeneration", f"text2text-generation-{_PAST}", {}),
    "encoder-decoder": ("EncoderDecoderModel", "text2text-generation", {}),
    "whisper": ("WhisperForConditionalGeneration", f"automatic-speech-recognition-{_PAST}", {"nb_max_frames": 60}),
    "whisper, parts": (
        "WhisperForConditionalGeneration",
        f"automatic-speech-recognition-{_PAST}",
        {"no_post_process": True, "nb_max_frames": 60},
    ),
    "speech_to_text": ("Speech2TextForConditionalGeneration", f"automatic-speech-recognition-{_PAST}", {}),
    "moonshine": (
        "MoonshineForConditionalGeneration",
        f"automatic-speech-recognition-{_PAST}",
        {"no_post_process": True},
    ),
    "vision-encoder-decoder": ("VisionEncoderDecoderModel", f"image-to-text-{_PAST}", {}),
    "pix2struct": ("Pix2StructForConditionalGeneration", f"image-to-text-{_PAST}", {}),
}
"""Name → class of Transformers, task and options of Optimum's export."""
_SAME_HEADS = {"encoder_attention_heads": 4}
NEEDS = {
    "BartForConditionalGeneration": {"eos_token_id": 98, "changes": _SAME_HEADS},
    "MarianMTModel": {"eos_token_id": 97, "changes": _SAME_HEADS},
    "M2M100ForConditionalGeneration": {"eos_token_id": 98, "changes": _SAME_HEADS},
    "WhisperForConditionalGeneration": {"changes": _SAME_HEADS},
    "Speech2TextForConditionalGeneration": {"changes": _SAME_HEADS},
    "MoonshineForConditionalGeneration": {"changes": {"encoder_num_hidden_layers": 2}},
    "Pix2StructForConditionalGeneration": {"patch_size": 4},
}
"""What Optimum's export needs: a token that ends texts, as many heads and layers in the encoder as in the decoder, a processor."""


class Optimum:
    """The worker in Optimum's environment."""

    def __init__(self) -> None:
        command = [PYTHON, str(Path(__file__).with_name("optimum_worker.py"))]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1
        )

    def do(self, **job):
        self._process.stdin.write(json.dumps(job) + "\n")
        error = json.loads(self._process.stdout.readline())
        assert not error, error

    def close(self):
        self._process.communicate()


@pytest.fixture(scope="module")
def optimum():
    worker = Optimum()
    yield worker
    worker.close()


def is_written(model):
    return model.can_generate() and not type(model).__name__.endswith("CTC")


def make_feeds(model, spec):
    """Return what a caller gives: to `generate` not what it makes itself."""
    feeds = spec.generate("np")
    if not is_written(model):
        return feeds
    given = {name: values for name, values in feeds.items() if not name.startswith(MADE)}
    if spec.task == "automatic-speech-recognition" and "attention_mask" in given:  # decoders take no mask of sounds
        given["attention_mask"] = np.ones_like(given["attention_mask"])
    if spec.task == "text-generation":  # texts that are continued are padded on the left
        given = {name: np.ascontiguousarray(values[:, ::-1]) for name, values in given.items()}
    return given


def to_tensors(feeds):
    return {name: torch.from_numpy(values) for name, values in feeds.items()}


def assert_equal(found, expected):
    """The outputs that both have are equal, at least one."""
    names = set(found) & set(expected)
    assert names, (set(found), set(expected))
    for name in names:
        scale = max(1.0, float(np.abs(expected[name]).max()))
        assert found[name].shape == expected[name].shape
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=2e-4 * scale)


@pytest.mark.parametrize(("cls", "name"), OURS, ids=lambda value: value.removeprefix("ORTModelFor"))
def test_a_folder_of_ours_runs_in_optimum(optimum, tmp_path, cls, name):
    model = build_model(name)
    spec, job = dummyio.describe(model), {}
    if cls.endswith(tuple(f"For{kind}" for kind in SOUNDS_ALONE)):
        kept = {key: node for key, node in spec.items() if key != "attention_mask"}
        spec = dummyio.InputSpec(kept, task=spec.task, outputs=spec.outputs)
    feeds = make_feeds(model, spec)
    with torch.no_grad():
        if is_written(model):
            model, tokens = build_generator(name, to_tensors(feeds), GREEDY)
            expected, job = {"tokens": tokens.numpy()}, {"generate": GREEDY}
        else:
            outputs = model(**to_tensors(feeds)).items()
            expected = {key: value.numpy() for key, value in outputs if isinstance(value, torch.Tensor)}
    dummyio.export(model, tmp_path / "folder", spec=spec)
    np.savez(tmp_path / "feeds.npz", **feeds)
    files = {
        key: str(tmp_path / file)
        for key, file in (("folder", "folder"), ("feeds", "feeds.npz"), ("outputs", "outputs.npz"))
    }
    optimum.do(kind="load", **{"class": cls}, **files, **job)
    assert_equal(dict(np.load(tmp_path / "outputs.npz")), expected)


@pytest.mark.parametrize("key", THEIRS)
def test_a_folder_of_optimum_runs_here(optimum, tmp_path, key):
    name, task, options = THEIRS[key]
    model = build_model(name)
    feeds = make_feeds(model, dummyio.describe(model))
    job = {"generate": GREEDY} if is_written(model) else {}
    np.savez(tmp_path / "feeds.npz", **feeds)
    files = {
        key: str(tmp_path / file)
        for key, file in (("folder", "folder"), ("feeds", "feeds.npz"), ("outputs", "outputs.npz"))
    }
    optimum.do(kind="export", task=task, options=options, **{"class": name}, **files, **job, **NEEDS.get(name, {}))
    loaded = AutoModelForONNX.from_pretrained(tmp_path / "folder")
    if job:
        found = {"tokens": np.asarray(loaded.generate(**to_tensors(feeds), **GREEDY))}
    else:
        outputs = loaded(**to_tensors(np.load(tmp_path / "feeds.npz"))).items()
        found = {key: np.asarray(value) for key, value in outputs if isinstance(value, torch.Tensor)}
    assert_equal(found, dict(np.load(tmp_path / "outputs.npz")))


def test_each_class_of_optimum_is_here():
    """Each class that loads a folder of one model, but the two that another one chooses by itself."""
    code = "import optimum.onnxruntime as o; print(*(n for n in dir(o) if n.startswith('ORTModelFor')))"
    done = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=True)
    assert {cls for cls, _ in OURS} == set(done.stdout.split())
