"""Proofs of descriptions: of PyTorch models compared with the runs that a proof makes, of other sources with the description alone.

A proof of a PyTorch model copies it, which is not counted. What it runs is counted twice: as it runs it, one run on shapes observed and
all results counted, and as plain forward passes of the same inputs.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import dummyio
from benchmarks.options import Options
from benchmarks.table import Row, compare_cost
from benchmarks.timing import make_subject, take_turns

COST = 1.5
"""Times the seconds of its runs that a proof may take."""
_WEIGHT = 256


def measure_modules(options: Options) -> list[Row]:
    """Return the rows of PyTorch models with random weights."""
    if importlib.util.find_spec("transformers") is None:
        return [_skip("PyTorch models", "transformers, whose models are proved, is not installed")]
    os.environ["HF_HUB_OFFLINE"] = "1"
    torch: Any = importlib.import_module("torch")
    warnings.simplefilter("ignore")  # Transformers warns about tiny models, which nobody would train
    torch.set_num_threads(1)
    rows: list[Row] = []
    for name, model in _build_models(torch, quick=options.quick):
        found = [_time_proof(model, torch) for _ in range(1 if options.quick else 9)]
        for peer, place, target in (
            ("the runs that it makes", 1, COST),
            ("the same forward passes, not observed", 2, None),
        ):
            ours, theirs = [each[0] for each in found], [each[place] for each in found]
            rows.append(compare_cost("proof", f"a proof of {name}, copies aside", peer, ours, theirs, target))
    return rows


def _build_models(torch: Any, *, quick: bool) -> Iterator[tuple[str, Any]]:
    transformers: Any = importlib.import_module("transformers")
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    tiny = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    yield "a tiny BERT", transformers.BertModel(transformers.BertConfig(**tiny, vocab_size=100)).eval()
    yield "a tiny ViT", transformers.ViTModel(transformers.ViTConfig(**tiny, image_size=32, patch_size=8)).eval()
    llama = transformers.LlamaConfig(**tiny, num_key_value_heads=2, vocab_size=100)
    yield "a tiny Llama", transformers.LlamaForCausalLM(llama).eval()
    if not quick:
        yield "a BERT of the base size", transformers.BertModel(transformers.BertConfig()).eval()


def _time_proof(model: Any, torch: Any) -> tuple[float, float, float]:
    """Return the seconds of a proof without its copies, of the runs that it makes, and of the same forward passes, not observed."""
    from dummyio.sources.proof.budget import Budget
    from dummyio_torch.proof.attempts import Attempts
    from dummyio_torch.proof.model_call import find_call
    from dummyio_torch.proof.prove_spec import _prove

    spec = dummyio.describe(model, prove="off")
    valued: list[tuple[Any, dict[str, int]]] = []

    class Recorded(Attempts):
        def run_with_values(self, spec: Any, sizes: Any, **options: Any) -> Any:
            valued.append((spec, dict(sizes)))
            return super().run_with_values(spec, sizes, **options)

    attempts = Recorded(model, find_call(model, spec, {}), Budget())
    start = time.perf_counter()
    _prove(attempts, spec, with_values=True)
    whole = time.perf_counter() - start - attempts.building
    plain = 0.0
    with torch.no_grad():
        for each, sizes in valued:
            made = each.generate("pt", **sizes)
            start = time.perf_counter()
            model(**made)
            plain += time.perf_counter() - start
    return whole, attempts.running, plain


def measure_keras(options: Options) -> list[Row]:
    """Return the rows of a Keras model and of a ``tf.function``."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    tf: Any = importlib.import_module("tensorflow")
    keras: Any = importlib.import_module("keras")
    image = keras.Input((32, 32, 3))
    layers = [keras.layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(8)]
    x = image
    for layer in layers:
        x = layer(x)
    model = keras.Model(image, keras.layers.Dense(10)(keras.layers.GlobalAveragePooling2D()(x)))

    @tf.function(input_signature=[tf.TensorSpec([None, 5]), tf.TensorSpec([None], tf.int32)])
    def function(x: Any, ids: Any) -> Any:
        return x * 2.0, tf.gather(tf.ones([7, 2]), ids)

    sources = {"a Keras model of 8 convolutions": (model, {}), "a tf.function of two operations": (function, {})}
    return _compare_descriptions(sources, options)


def measure_jax(options: Options) -> list[Row]:
    """Return the row of a Flax module; of a function if Flax is not installed."""
    jax: Any = importlib.import_module("jax")
    if importlib.util.find_spec("flax") is None:
        return [_skip("a Flax module", "flax is not installed")]
    nnx: Any = importlib.import_module("flax.nnx")

    class Block(nnx.Module):
        def __init__(self, rngs: Any) -> None:
            self.embed = nnx.Embed(50, 16, rngs=rngs)
            self.attention = nnx.MultiHeadAttention(num_heads=4, in_features=16, decode=False, rngs=rngs)

        def __call__(self, input_ids: Any) -> Any:
            return self.attention(self.embed(input_ids))

    module = nnx.jit(lambda: Block(nnx.Rngs(0)))()
    arguments = {"args": (jax.ShapeDtypeStruct((2, 6), "int32"),)}
    return _compare_descriptions({"a Flax module of embeddings and attention": (module, arguments)}, options)


def measure_onnx(options: Options) -> list[Row]:
    """Return the row of an ONNX file of 5 MB."""
    numpy: Any = importlib.import_module("numpy")
    onnx: Any = importlib.import_module("onnx")
    helper, numbers = onnx.helper, numpy.random.default_rng(0)
    weights = {"table": numbers.random((1000, _WEIGHT))} | {
        f"w{n}": numbers.random((_WEIGHT, _WEIGHT)) for n in range(16)
    }
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["h0"])]
    nodes += [helper.make_node("MatMul", [f"h{n}", f"w{n}"], [f"h{n + 1}"]) for n in range(16)]
    declared = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "g",
        [declared("input_ids", onnx.TensorProto.INT64, ["batch_size", "sequence_length"])],
        [declared("h16", onnx.TensorProto.FLOAT, ["batch_size", "sequence_length", _WEIGHT])],
        [onnx.numpy_helper.from_array(array.astype("float32"), name) for name, array in weights.items()],
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        size = path.stat().st_size / (1 << 20)
        return _compare_descriptions({f"an ONNX file of {size:.0f} MiB": (path, {})}, options)


def _compare_descriptions(sources: dict[str, tuple[Any, dict[str, Any]]], options: Options) -> list[Row]:
    rows: list[Row] = []
    for name, (source, keywords) in sources.items():
        subjects = {
            prove: make_subject(lambda prove=prove: dummyio.describe(source, prove=prove, **keywords))  # noqa: B023 - called in the loop
            for prove in ("auto", "off")
        }
        times = take_turns(subjects, 3 if options.quick else 11)
        rows.append(compare_cost("proof", f"describe with its proof, {name}", "without", times["auto"], times["off"]))
        proof = dummyio.describe(source, **keywords).proof
        added = median(times["auto"]) - median(times["off"])
        rows.append(
            Row(
                topic="proof",
                what=f"one run of the proof, {name}",
                peer="the description",
                ratio=added / len(proof.sizes) / median(times["off"]),
                bound="<=",
                ours=added / len(proof.sizes),
                theirs=median(times["off"]),
            )
        )
    return rows


def _skip(what: str, reason: str) -> Row:
    return Row(topic="proof", what=what, peer="all", skipped=reason)


PARTS = {"pt": measure_modules, "tf": measure_keras, "jax": measure_jax, "ort": measure_onnx}
