"""Sound exports of scikit-learn's models by skl2onnx; the reference is the model's own Python."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.values import Normal
from planted.sound import Sound

_KINDS = ("LogisticRegression", "LinearRegression", "RandomForestClassifier", "MLPClassifier", "StandardScaler")


def sounds() -> Iterator[Sound]:
    """Yield each kind of model, where skl2onnx is installed."""
    for kind in _KINDS if find_spec("skl2onnx") else ():
        yield Sound(kind, "scikit-learn → skl2onnx", partial(_export, kind=kind))


def _export(folder: Path, kind: str) -> tuple[Path, Any, InputSpec]:
    from skl2onnx import to_onnx

    model = _fit(kind)
    outputs = {"zipmap": False} if hasattr(model, "predict_proba") else {}
    written = to_onnx(model, np.zeros((1, 4), np.float32), options={id(model): outputs} if outputs else None)
    (folder / "model.onnx").write_bytes(written.SerializeToString())
    spec = InputSpec({"X": TensorSpec("X", (Dim("batch_size", 2), 4), "float32", Normal())})

    def compute(X: Any) -> dict[str, Any]:
        if hasattr(model, "predict_proba"):
            return {"label": model.predict(X), "probabilities": model.predict_proba(X).astype(np.float32)}
        found = model.predict(X)[:, None] if hasattr(model, "predict") else model.transform(X)
        return {"variable": np.asarray(found, np.float32)}

    return folder / "model.onnx", compute, spec


def _fit(kind: str) -> Any:
    from sklearn import ensemble, linear_model, neural_network, preprocessing

    home = next(each for each in (linear_model, ensemble, neural_network, preprocessing) if hasattr(each, kind))
    generator = np.random.default_rng(0)
    values = generator.normal(size=(200, 4)).astype(np.float32)
    model = getattr(home, kind)(**({"random_state": 0} if "Classifier" in kind else {}))
    return model.fit(values, (values.sum(1) > 0).astype(np.int64))
