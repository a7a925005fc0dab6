"""A pipeline of Diffusers as a folder with a file for each of its models."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
hf = pytest.importorskip("transformers")
diffusers = pytest.importorskip("diffusers")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.errors import ExportError, OptionError, OutputError
from dummyio.exporting.parts.pipeline_models import list_pipeline_models

pytestmark = pytest.mark.slow

UNET = {"block_out_channels": (8, 16), "layers_per_block": 1, "sample_size": 8, "norm_num_groups": 8}
DOWN, UP = ("DownBlock2D", "CrossAttnDownBlock2D"), ("CrossAttnUpBlock2D", "UpBlock2D")
VAE = {"block_out_channels": [8, 16], "norm_num_groups": 8, "sample_size": 16}
HALVES = {"down_block_types": ["DownEncoderBlock2D"] * 2, "up_block_types": ["UpDecoderBlock2D"] * 2}
TEXT = {"vocab_size": 99, "hidden_size": 16, "intermediate_size": 17, "num_attention_heads": 2, "num_hidden_layers": 1}
FILES = {f"{name}/model.onnx" for name in ("text_encoder", "unet", "vae_encoder", "vae_decoder")}


def make_pipeline(**unet):
    torch.manual_seed(0)
    heads = {"cross_attention_dim": 16, "attention_head_dim": 4}
    return diffusers.StableDiffusionPipeline(
        unet=diffusers.UNet2DConditionModel(down_block_types=DOWN, up_block_types=UP, **heads, **UNET, **unet),
        vae=diffusers.AutoencoderKL(**HALVES, **VAE),
        text_encoder=hf.CLIPTextModel(hf.CLIPTextConfig(bos_token_id=0, eos_token_id=2, pad_token_id=1, **TEXT)),
        scheduler=diffusers.DDIMScheduler(steps_offset=1, clip_sample=False),
        **dict.fromkeys(("tokenizer", "safety_checker", "feature_extractor")),
        requires_safety_checker=False,
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    pipeline = make_pipeline()
    return pipeline, dummyio.export(pipeline, tmp_path_factory.mktemp("pipeline") / "out")


def test_each_model_has_a_folder_with_the_names_of_optimum(written):
    _, artifact = written
    assert set(artifact.components) == FILES
    assert {str(file.relative_to(artifact.path)) for file in artifact.files} >= {
        *FILES,
        "model_index.json",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "vae_decoder/config.json",
    }
    assert json.loads((artifact.path / "model_index.json").read_text())["unet"] == ["diffusers", "UNet2DConditionModel"]
    assert list(artifact.components["text_encoder/model.onnx"]) == ["input_ids"]
    assert list(artifact.components["unet/model.onnx"]) == ["sample", "timestep", "encoder_hidden_states"]
    assert list(artifact.components["vae_decoder/model.onnx"]) == ["latent_sample"]


def test_the_folder_is_compared_with_the_pipeline(written):
    pipeline, artifact = written
    report = dummyio.validate(artifact.path, pipeline)
    assert report.ok, [finding.message for finding in report.errors]
    compared = {made.output for outcome in report.outcomes for made in outcome.comparisons}
    assert compared >= {
        "text_encoder/model.onnx: last_hidden_state",
        "unet/model.onnx: out_sample",
        "vae_encoder/model.onnx: latent_parameters",
        "vae_decoder/model.onnx: sample",
    }


def test_steps_of_the_parts_are_those_of_the_pipeline(written):
    """Text, two steps of the scheduler and pixels: the files in the place of the models."""
    pipeline, artifact = written
    run = {
        file.partition("/")[0]: dummyio.open_runner(artifact.path / file, spec)
        for file, spec in artifact.components.items()
    }
    for batch, length in ((1, 4), (2, 7), (3, 11)):
        ids = artifact.components["text_encoder/model.onnx"].feeds(batch_size=batch, sequence_length=length)
        states = run["text_encoder"](ids)["last_hidden_state"]
        generator = torch.Generator().manual_seed(1)
        start = torch.randn(batch, 4, 8, 8, generator=generator)
        ours = start
        with torch.no_grad():
            theirs, text = start, pipeline.text_encoder(torch.tensor(ids["input_ids"]))[0]
            pipeline.scheduler.set_timesteps(2)
            for time in pipeline.scheduler.timesteps:
                noise = pipeline.unet(theirs, time, text).sample
                theirs = pipeline.scheduler.step(noise, time, theirs).prev_sample
                feeds = {"sample": ours.numpy(), "timestep": np.float32(time), "encoder_hidden_states": states}
                found = torch.tensor(run["unet"](feeds)["out_sample"])
                ours = pipeline.scheduler.step(found, time, ours).prev_sample
            expected = pipeline.vae.decode(theirs).sample.numpy()
        np.testing.assert_allclose(run["vae_decoder"]({"latent_sample": ours.numpy()})["sample"], expected, atol=1e-4)


def test_a_folder_of_a_pipeline_is_replaced_by_force_alone(written):
    pipeline, artifact = written
    with pytest.raises(OutputError, match="this folder is not empty"):
        dummyio.export(pipeline, artifact.path)
    (artifact.path / "unet" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="contains the folder unet"):
        dummyio.export(pipeline, artifact.path, force=True)
    (artifact.path / "unet" / "notes.txt").unlink()


@pytest.mark.parametrize("wrong", [{"task": "denoising"}, {"spec": dummyio.InputSpec({})}])
def test_a_pipeline_has_no_task_of_its_own(tmp_path, wrong):
    with pytest.raises(OptionError, match="a pipeline is exported as it is"):
        dummyio.export(make_pipeline(), tmp_path / "out", **wrong)


def test_a_pipeline_is_no_single_file(tmp_path):
    with pytest.raises(OptionError, match="becomes a folder of ONNX files"):
        dummyio.export(make_pipeline(), tmp_path / "out.onnx")
    assert list(tmp_path.iterdir()) == []


def test_states_between_the_layers_of_a_text_encoder_are_not_in_its_file():
    more = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 64,
    }
    with pytest.raises(
        ExportError, match="unet takes added_cond_kwargs: this pipeline reads states between the layers"
    ):
        list_pipeline_models(make_pipeline(**more))


def test_a_half_of_an_autoencoder_is_exported_by_its_task(tmp_path):
    torch.manual_seed(0)
    model = diffusers.AutoencoderKL(**HALVES, **VAE).eval()
    artifact = dummyio.export(model, tmp_path / "half.onnx", "vae-encoder")
    feeds = artifact.spec.feeds()
    made = dummyio.open_runner(artifact.path, artifact.spec)(feeds)
    with torch.no_grad():
        expected = model.encode(torch.tensor(feeds["sample"])).latent_dist.parameters
    assert list(made) == ["latent_parameters"]
    np.testing.assert_allclose(made["latent_parameters"], expected.numpy(), atol=1e-4)
    assert dummyio.validate(artifact.path, model).ok
