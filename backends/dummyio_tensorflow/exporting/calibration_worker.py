"""TFLite's converter with a calibration, in a process of its own: on some models it does not raise but ends the process.

``python -m dummyio_tensorflow.exporting.calibration_worker FOLDER`` reads a job that `convert_in_subprocess` has written
there, and writes the file or the error.
"""

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

_MODEL, _SAMPLES, _JOB, _RESULT, _ERROR = "model", "samples", "job", "model.tflite", "error"


def convert_in_subprocess(folder: Path, signatures: list[str], feeds: Iterable[Any]) -> bytes:
    """Return the file of the SavedModel at ``folder/model`` in 8-bit integers, inputs and outputs too.

    Parameters
    ----------
    folder
        A temporary folder, which also takes the files that both processes exchange.
    signatures
        Its signatures, the usual one first.
    feeds
        The calibration set, as pairs of signature and name → array.

    Raises
    ------
    RuntimeError
        with the converter's own message, or the signal that ended it.
    """
    with (folder / _SAMPLES).open("wb") as stream:
        for sample in feeds:
            pickle.dump(sample, stream)
    (folder / _JOB).write_bytes(pickle.dumps(signatures))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "dummyio_tensorflow.exporting.calibration_worker", str(folder)]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603 - this module
    if (folder / _RESULT).exists():
        return (folder / _RESULT).read_bytes()
    if (folder / _ERROR).exists():
        raise RuntimeError((folder / _ERROR).read_text(encoding="utf-8"))
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    how = f"was ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with {done.returncode}: {last}"
    raise RuntimeError(f"the converter itself crashed: its process {how}.")


def _read_samples(path: Path) -> Iterator[Any]:
    with path.open("rb") as stream:
        while True:
            try:
                yield pickle.load(stream)  # noqa: S301 - written by the other process
            except EOFError:
                return


def _convert(folder: Path) -> None:
    import tensorflow as tf  # noqa: PLC0415 - lazy: for the worker only

    signatures = pickle.loads((folder / _JOB).read_bytes())  # noqa: S301 - written by the other process
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder / _MODEL), signature_keys=signatures)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _read_samples(folder / _SAMPLES)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        blob = converter.convert()
    except Exception as error:  # noqa: BLE001 - the other process raises it
        (folder / _ERROR).write_text("".join(traceback.format_exception_only(error)), encoding="utf-8")
        return
    part = folder / f"{_RESULT}.part"
    part.write_bytes(blob)
    part.rename(folder / _RESULT)


if __name__ == "__main__":
    _convert(Path(sys.argv[1]))
