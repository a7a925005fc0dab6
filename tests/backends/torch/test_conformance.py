import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dummyio.errors import DTypeError, OptionError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import Normal, PaddingMask, TokenIds
from dummyio.testing.backend_conformance import BackendConformance
from dummyio_torch import BACKEND, DTYPE_MAPPER, from_native, to_native
from dummyio_torch.calling import transformers_cache as cache

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 5)
PAST, ENCODER = Dim("past_sequence_length", 3, min=0), Dim("encoder_sequence_length", 7)
HEADS, HEAD = 2, 4


class TestTorch(BackendConformance):
    framework = "pt"
    imports = ("torch",)
    copies = False

    def layers_of(self, cache):
        return [(layer.keys, layer.values) for layer in cache.layers] if hasattr(cache, "layers") else list(cache)


def test_dtypes_go_there_and_back():
    assert all(from_native(to_native(dtype)) is dtype for dtype in DTYPE_MAPPER)
    with pytest.raises(DTypeError, match="qint8"):
        from_native(torch.qint8)


@pytest.mark.parametrize(
    "dtype", [DType.BFLOAT16, DType.FLOAT8_E4M3FN, DType.FLOAT8_E8M0FNU, DType.COMPLEX64, DType.UINT16]
)
def test_no_dtype_needs_a_copy(dtype):
    values = np.zeros((2, 3), dtype.numpy)
    tensor = BACKEND.from_numpy(values, dtype)
    assert tensor.data_ptr() == values.ctypes.data
    assert BACKEND.to_numpy(tensor).ctypes.data == values.ctypes.data
    assert tensor.dtype == to_native(dtype)
    assert tensor.shape == (2, 3)


def test_what_a_model_returns_can_be_read():
    weight = torch.arange(6, dtype=torch.bfloat16).reshape(2, 3).requires_grad_()
    assert BACKEND.to_numpy(weight.T).tolist() == [[0, 3], [1, 4], [2, 5]]
    assert BACKEND.to_numpy(torch.tensor([1 + 2j]).conj()).tolist() == [1 - 2j]


def test_no_values_on_meta():
    with pytest.raises(OptionError, match="abstract"):
        BACKEND.from_numpy(np.zeros(2, np.float32), DType.FLOAT32, "meta")
    with torch.device("meta"), pytest.raises(OptionError, match="abstract"):
        BACKEND.from_numpy(np.zeros(2, np.float32), DType.FLOAT32)


@pytest.mark.parametrize("device", ["cpu", torch.device("cpu"), "cpu:0"])
def test_devices_that_are_there(device):
    assert BACKEND.from_numpy(np.zeros(2, np.float32), DType.FLOAT32, device).device.type == "cpu"


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is not there")
def test_cuda_is_named_where_there_is_none():
    with pytest.raises(OptionError, match="'cuda'"):
        BACKEND.from_numpy(np.zeros(2, np.float32), DType.FLOAT32, "cuda")


# The past of Transformers' models.


def state(length):
    return {name: TensorSpec(name, (BATCH, HEADS, length, HEAD), "float32", Normal()) for name in ("key", "value")}


def decoder_inputs(past="cache"):
    return InputSpec(
        {
            "input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50)),
            "attention_mask": TensorSpec("", (BATCH, PAST + LENGTH), "int64", PaddingMask("left")),
            "past_key_values": Nest.of(past, [Nest.of("tuple", state(PAST))] * 2),
        }
    )


@pytest.fixture(scope="module")
def llama():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=50, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=HEADS
    )
    return transformers.LlamaForCausalLM(config).eval()


def test_llama_takes_a_past(llama):
    inputs = decoder_inputs().generate("pt")
    assert type(inputs["past_key_values"]).__name__ == "DynamicCache"
    with torch.no_grad():
        outputs = llama(**inputs)
    assert outputs.logits.shape == (2, 5, 50)
    assert outputs.past_key_values.get_seq_length() == 8


def test_llama_takes_an_empty_past(llama):
    inputs = decoder_inputs().generate("pt", past_sequence_length=0)
    assert inputs["past_key_values"].get_seq_length() == 0
    with torch.no_grad():
        found = llama(**inputs).logits
        expected = llama(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
    torch.testing.assert_close(found, expected)


def test_a_past_is_not_shared_by_samples(llama):
    spec = decoder_inputs()
    first, second = spec.samples(2, "pt")
    with torch.no_grad():
        llama(**first)
    assert first["past_key_values"].get_seq_length() == 8  # the model appends to what it is given
    assert second["past_key_values"].get_seq_length() == 3
    assert spec.generate("pt")["past_key_values"].get_seq_length() == 3


@pytest.mark.parametrize("past", [0, 3])
def test_t5_takes_a_past(past):
    transformers = pytest.importorskip("transformers")
    config = transformers.T5Config(
        vocab_size=50, d_model=8, d_kv=HEAD, d_ff=16, num_layers=2, num_heads=HEADS, decoder_start_token_id=0
    )
    model = transformers.T5ForConditionalGeneration(config).eval()
    layer = state(PAST) | {f"cross_{name}": spec for name, spec in state(ENCODER).items()}
    spec = InputSpec(
        {
            "decoder_input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50)),
            "attention_mask": TensorSpec("", (BATCH, ENCODER), "int64", PaddingMask()),
            "encoder_outputs": (TensorSpec("", (BATCH, ENCODER, 8), "float32", Normal()),),
            "past_key_values": Nest.of("cache", [Nest.of("tuple", layer)] * 2),
        }
    )
    inputs = spec.generate("pt", past_sequence_length=past)
    assert type(inputs["past_key_values"]).__name__ == "EncoderDecoderCache"
    crossed = inputs["past_key_values"].cross_attention_cache.layers[1].values
    assert crossed.numpy().tobytes() == spec.feeds(past_sequence_length=past)["past_key_values.1.cross_value"].tobytes()
    with torch.no_grad():
        outputs = model(**inputs)
    assert outputs.logits.shape == (2, 5, 50)
    assert outputs.past_key_values.get_seq_length() == past + 5


def test_a_past_without_transformers_is_tuples(monkeypatch):
    monkeypatch.setattr(cache, "has_transformers", lambda: False)
    past = decoder_inputs().generate("pt")["past_key_values"]
    assert isinstance(past, tuple)
    assert [type(layer) for layer in past] == [tuple, tuple]


def test_a_past_of_another_form_is_tuples():
    layer = Nest.of("tuple", [TensorSpec("", (2, 3), "float32")] * 3)
    past = InputSpec({"past": Nest.of("cache", [layer, layer])}).generate("pt")["past"]
    assert isinstance(past, tuple)
    assert [len(layer) for layer in past] == [3, 3]


# Exporters.


class Attention(torch.nn.Module):
    """As little of a decoder as uses every axis that the spec names."""

    def __init__(self):
        super().__init__()
        self.embed = torch.nn.Embedding(50, HEADS * HEAD)

    def forward(self, input_ids, attention_mask, past_key_values):
        embedded = self.embed(input_ids)
        states = embedded.unflatten(-1, (HEADS, HEAD)).transpose(1, 2)
        present = []
        for key, value in past_key_values:
            key, value = torch.cat([key, states], 2), torch.cat([value, states], 2)  # noqa: PLW2901
            scores = (states @ key.transpose(-1, -2)).masked_fill(attention_mask[:, None, None] == 0, -1e4)
            states = scores.softmax(-1) @ value
            present += [key, value]
        return (states.transpose(1, 2).flatten(2), *present)


def axes(value):
    return {i: axis.dim_param for i, axis in enumerate(value.type.tensor_type.shape.dim) if axis.dim_param}


# The exporter deprecates parts of itself, and says that a name which stands on two axes is used once.
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::FutureWarning:copyreg", "ignore:# The axis name.*will not be used:UserWarning")
def test_dynamic_shapes_name_the_axes_of_an_export():
    pytest.importorskip("onnxscript")
    ort = pytest.importorskip("onnxruntime")
    spec, model = decoder_inputs(past="list"), Attention().eval()
    inputs = spec.generate("pt", **spec.probes()[0])
    program = torch.onnx.export(
        model, (), kwargs=inputs, dynamic_shapes=spec.dynamic_shapes(), dynamo=True, verbose=False
    )
    graph = program.model_proto.graph
    assert [axes(value) for value in graph.input] == list(spec.dynamic_axes().values())
    assert axes(graph.input[1])[1] == "past_sequence_length + sequence_length"
    assert axes(graph.output[1])[2] == axes(graph.input[1])[1]
    session = ort.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for sizes in ({"batch_size": 1, "past_sequence_length": 0}, {"batch_size": 4, "sequence_length": 9}):
        feeds = dict(zip((value.name for value in graph.input), spec.feeds(**sizes).values(), strict=True))
        with torch.no_grad():
            expected = model(**spec.generate("pt", **sizes))
        for found, wanted in zip(session.run(None, feeds), expected, strict=True):
            np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5)


# The exporter tested is deprecated, as a whole and part by part, and still what many use.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_dynamic_axes_name_the_axes_of_the_older_export(tmp_path):
    onnx = pytest.importorskip("onnx")
    inner = torch.nn.Linear(4, 2)
    spec = InputSpec({"x": TensorSpec("x", (BATCH, LENGTH // 2, 4), "float32")})
    target = tmp_path / "model.onnx"
    options = {"input_names": ["x"], "dynamic_axes": spec.dynamic_axes(), "dynamo": False}
    torch.onnx.export(inner, tuple(spec.generate("pt").values()), target, **options)
    assert axes(onnx.load(target).graph.input[0]) == {0: "batch_size", 1: "sequence_length // 2"}
