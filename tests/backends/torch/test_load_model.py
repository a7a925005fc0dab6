"""What the folder of a Hugging Face model may run: nothing of its own, unless it is trusted."""

import io
import json
import os
import signal
import sys
import textwrap
import threading

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from dummyio.errors import SourceError, TrustError
from dummyio.running.load_model import load_model
from dummyio_torch.calling.load_model import block_network

SIZES = {
    "vocab_size": 30, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
    "max_position_embeddings": 16,
}  # fmt: skip


class Marks:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def write_folder(folder, **config):
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(
        json.dumps({"model_type": "bert", "architectures": ["BertModel"], **SIZES, **config})
    )
    return folder


@pytest.fixture
def marker(tmp_path):
    return tmp_path / "marker"


@pytest.mark.parametrize("form", [{}, {"_use_new_zipfile_serialization": False}], ids=["archive", "older"])
def test_pickled_weights_make_no_objects(form, tmp_path, marker):
    folder = write_folder(tmp_path / "model")
    torch.save({"pooler.dense.bias": Marks(marker)}, folder / "pytorch_model.bin", **form)
    with pytest.raises(TrustError, match=r"pytorch_model\.bin: a pickle with .*mkdir.*trust=True, or --trust"):
        load_model(str(folder))
    assert not marker.exists()


def test_with_trust_pickled_weights_are_loaded_as_pytorch_does(tmp_path, marker):
    folder = write_folder(tmp_path / "model")
    torch.save({"pooler.dense.bias": Marks(marker)}, folder / "pytorch_model.bin")
    with pytest.raises(SourceError):  # the object is not a weight
        load_model(str(folder), trust=True)
    assert marker.is_dir()


def test_pickled_tensors_need_no_trust(tmp_path):
    folder = write_folder(tmp_path / "model")
    weights = load_model(str(folder))[0].state_dict()
    weights["pooler.dense.bias"] = torch.full((8,), 3.0)
    torch.save(weights, folder / "pytorch_model.bin")
    model, what = load_model(str(folder))
    assert "with the weights of" in what
    assert (model.pooler.dense.bias == 3).all()


CODE = """
    import os
    os.mkdir({marker!r})
    from transformers import BertConfig, BertModel
    class OwnConfig(BertConfig):
        model_type = "own"
    class OwnModel(BertModel):
        config_class = OwnConfig
"""


def write_own_code(folder, marker):
    (folder / "modeling_own.py").write_text(textwrap.dedent(CODE).format(marker=str(marker)))
    return {"auto_map": {"AutoConfig": "modeling_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}}


def test_code_in_the_folder_needs_trust(tmp_path, marker, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)  # Transformers asks there by default
    folder = write_folder(tmp_path / "model")
    write_folder(folder, model_type="own", architectures=["OwnModel"], **write_own_code(folder, marker))
    with pytest.raises(TrustError, match=r"code of its own \(modeling_own\.OwnConfig\)"):
        load_model(str(folder))
    assert not marker.exists()
    model, _ = load_model(str(folder), trust=True)
    assert type(model).__name__ == "OwnModel"
    assert marker.is_dir()


def test_a_class_of_transformers_is_used_instead_of_the_code_in_the_folder(tmp_path, marker):
    folder = write_folder(tmp_path / "model")
    write_folder(folder, **write_own_code(folder, marker))
    assert type(load_model(str(folder))[0]) is transformers.BertModel
    assert not marker.exists()


@pytest.mark.parametrize(
    "config",
    [
        {"_attn_implementation": "org/kernel"},
        {"attn_implementation": "org/kernel@v1:forward"},
        {"_experts_implementation": "org/kernel"},
        {"attn_implementation": {"": "eager", "text_config": "org/kernel"}},
        {"text_config": {"_attn_implementation_internal": "org/kernel"}},
        {"sub_configs": [{"attn_implementation": ["paged|org/kernel"]}]},
    ],
    ids=str,
)
def test_kernels_of_the_hub_need_trust(config, tmp_path):
    with pytest.raises(TrustError, match=r"the kernel '.*org/kernel"):
        load_model(str(write_folder(tmp_path / "model", **config)))


@pytest.mark.parametrize("name", ["TrainingArguments", "Trainer", "pipeline", "AutoTokenizer", "models", 5])
def test_only_classes_of_models_are_made(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = write_folder(tmp_path / "model", architectures=[name])
    try:
        assert type(load_model(str(folder))[0]) is transformers.BertModel
    except SourceError:
        assert not isinstance(name, str)  # Transformers itself refuses the configuration
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("file", ["../model.safetensors", "/etc/passwd", "a/../../b.bin"])
def test_tables_of_weights_do_not_leave_the_folder(file, tmp_path):
    folder = write_folder(tmp_path / "model")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"pooler.dense.bias": file}}))
    with pytest.raises(SourceError, match="does not lie in this folder"):
        load_model(str(folder))


@pytest.mark.parametrize("text", ["[1]", "{", "\x00", "[" * 100_000])
def test_other_configurations_are_refused(text, tmp_path):
    folder = write_folder(tmp_path / "model")
    (folder / "config.json").write_text(text)
    with pytest.raises(SourceError):
        load_model(str(folder))


def test_no_part_of_a_model_runs_code_whatever_the_terminal_answers(tmp_path, marker, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    before = signal.getsignal(signal.SIGALRM)
    folder = write_folder(tmp_path / "model")
    (folder / "own.py").write_text(
        f"import os\nos.mkdir({str(marker)!r})\nfrom transformers import LlamaModel as Own\n"
    )
    part = {
        "model_type": "llama",
        **SIZES,
        "_name_or_path": str(folder),
        "auto_map": {"AutoModelForTextEncoding": "own.Own"},
    }
    write_folder(
        folder, model_type="musicgen", architectures=["MusicgenForConditionalGeneration"], text_encoder=part,
        audio_encoder={"model_type": "encodec", "num_filters": 4, "hidden_size": 8, "codebook_size": 16, "codebook_dim": 8},
        decoder={"model_type": "musicgen_decoder", "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
                 "ffn_dim": 8, "vocab_size": 16},
    )  # fmt: skip
    with pytest.raises(TrustError, match=r"code of its own \(own\.Own\)"):
        load_model(str(folder))
    assert sys.stdin.tell() == 0  # nothing was asked
    assert signal.getsignal(signal.SIGALRM) is before
    assert not marker.exists()


def test_a_generate_function_in_the_folder_is_not_run(tmp_path, marker, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n" * 9))
    sizes = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 8, "n_layer": 1, "n_head": 2}
    folder = write_folder(tmp_path / "model", **sizes)
    load_model(str(folder))[0].save_pretrained(folder)
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(
        f"import os\nos.mkdir({str(marker)!r})\ndef generate(): ...\n"
    )
    model, what = load_model(str(folder))
    assert type(model) is transformers.GPT2LMHeadModel
    assert "with the weights of" in what
    assert sys.stdin.tell() == 0
    assert not marker.exists()


def test_the_configuration_that_is_loaded_is_checked(tmp_path):
    folder = write_folder(tmp_path / "model", configuration_files=["config.4.0.0.json"])
    other = {"model_type": "bert", "architectures": ["BertModel"], **SIZES, "_attn_implementation": "org/kernel"}
    (folder / "config.4.0.0.json").write_text(json.dumps(other))
    with pytest.raises(TrustError, match=r"the kernel 'org/kernel'"):
        load_model(str(folder))


def test_kernels_are_found_at_any_depth(tmp_path):
    part = {"_attn_implementation": "org/kernel"}
    for _ in range(200):
        part = {"encoder": part}
    with pytest.raises(TrustError, match=r"the kernel 'org/kernel'"):
        load_model(str(write_folder(tmp_path / "model", **part)))


def save_bias(file, value):
    from safetensors.torch import save_file

    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({"pooler.dense.bias": torch.full((8,), value)}, file, metadata={"format": "pt"})


def link_weights(folder, outside):
    (folder / "model.safetensors").symlink_to(outside)


def name_table(folder, outside):
    write_folder(folder, transformers_weights="sub/x.safetensors.index.json")
    save_bias(folder / "model.safetensors", 0.0)
    (folder / "sub").mkdir()
    table = {"metadata": {}, "weight_map": {"pooler.dense.bias": str(outside)}}
    (folder / "sub" / "x.safetensors.index.json").write_text(json.dumps(table))


def link_shard(folder, outside):
    (folder / "a.safetensors").symlink_to(outside)
    table = {"metadata": {}, "weight_map": {"pooler.dense.bias": "a.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(table))


def link_store(folder, outside):
    (folder.parent.parent / "blobs").symlink_to(outside.parent)
    (folder / "model.safetensors").symlink_to("../../blobs/" + outside.name)


@pytest.mark.parametrize("lead", [link_weights, name_table, link_shard, link_store])
def test_weights_outside_of_the_folder_need_trust(lead, tmp_path):
    outside = tmp_path / "elsewhere" / "o.safetensors"
    save_bias(outside, 7.0)
    (tmp_path / "snapshots").mkdir()
    folder = write_folder(tmp_path / "snapshots" / "model")
    lead(folder, outside)
    with pytest.raises(TrustError, match="weights outside of its folder"):
        load_model(str(folder))
    assert (load_model(str(folder), trust=True)[0].pooler.dense.bias == 7).all()


def test_links_into_the_store_of_a_cache_are_read(tmp_path):
    save_bias(tmp_path / "blobs" / "0123", 7.0)
    (tmp_path / "snapshots").mkdir()
    folder = write_folder(tmp_path / "snapshots" / "main")
    (folder / "model.safetensors").symlink_to("../../blobs/0123")
    assert (load_model(str(folder))[0].pooler.dense.bias == 7).all()


def test_a_pipe_in_place_of_the_configuration_is_refused(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(SourceError, match="not a regular file"):
        load_model(str(tmp_path))


def test_after_a_refusal_transformers_is_as_before(tmp_path):
    from transformers.models.auto import auto_factory

    before = auto_factory.resolve_trust_remote_code
    with pytest.raises(TrustError):
        load_model(str(write_folder(tmp_path / "model", _attn_implementation="org/kernel")))
    load_model(str(write_folder(tmp_path / "model")))
    assert auto_factory.resolve_trust_remote_code is before


def test_the_network_is_closed_to_this_thread_only(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    elsewhere = []
    with block_network():
        assert constants.is_offline_mode()
        with pytest.raises(OSError, match=r"offline|outgoing traffic|connection"):
            transformers.AutoConfig.from_pretrained("dummyio-tests/does-not-exist")
        thread = threading.Thread(target=lambda: elsewhere.append(constants.is_offline_mode()))
        thread.start()
        thread.join()
    assert elsewhere == [False]
    assert not constants.is_offline_mode()
