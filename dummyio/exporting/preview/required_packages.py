"""The packages that an export needs, and whether the installed versions are new enough.

Lower bounds are those that this distribution declares for its extras, so they are stated in one place.
"""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires

from dummyio.exporting.preview.obstacle import Obstacle
from dummyio.huggingface.source.installed import package_version

_ONNX = ("onnx", ("onnx", "onnxscript", "onnx-ir"))
_NEEDED: dict[tuple[str, str], tuple[tuple[str, tuple[str, ...]], ...]] = {
    ("pt", "onnx"): (("torch", ("torch",)), _ONNX),
    ("pt", "onnx_folder"): (("torch", ("torch",)), _ONNX),
    ("pt", "pt2"): (("torch", ("torch",)),),
    ("tf", "saved_model"): (("tensorflow", ("tensorflow",)),),
    ("tf", "pb"): (("tensorflow", ("tensorflow",)),),
    ("tf", "tflite"): (("tensorflow", ("tensorflow",)),),
    ("tf", "onnx"): (("tensorflow", ("tensorflow", "tf2onnx")), ("onnx", ("onnx",))),
    ("jax", "stablehlo"): (("jax", ("jax", "flatbuffers")),),
    ("jax", "onnx"): (("jax", ("jax",)), ("jax2onnx", ("jax2onnx", "onnx"))),
    ("jax", "saved_model"): (("jax", ("jax",)), ("tensorflow", ("tensorflow",))),
    ("jax", "tflite"): (("jax", ("jax",)), ("tensorflow", ("tensorflow",))),
}
"""Framework and format → the extras that declare its packages, and those of each that are needed to write it."""
_RUNTIMES = {
    "onnx": ("onnx", "onnxruntime"),
    "onnx_folder": ("onnx", "onnxruntime"),
    "tflite": ("litert", "ai-edge-litert"),
}
"""Format → the extra and the package that runs it: without it a written artifact cannot be checked."""
_LIBRARIES = {"transformers": "hf", "diffusers": "diffusers"}
"""Package that may define the model's class → its extra."""
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)\s*>=\s*(?P<bound>[\d.]+)[^;]*;\s*extra\s*==\s*['\"](?P<extra>[\w-]+)['\"]"
)


def find_packages(framework: str, format_name: str, model: object) -> dict[str, str]:
    """Return package → extra for all that an export of a model needs, the runtime of the format included."""
    needed = {name: extra for extra, names in _NEEDED.get((framework, format_name), ()) for name in names}
    roots = {base.__module__.partition(".")[0] for base in type(model).__mro__}
    needed |= {name: extra for name, extra in _LIBRARIES.items() if name in roots}
    if format_name in _RUNTIMES:
        extra, name = _RUNTIMES[format_name]
        needed[name] = extra
    return needed


def list_versions(packages: dict[str, str]) -> dict[str, str]:
    """Return package → version, of those that are installed."""
    found = {name: package_version(name) for name in packages}
    return {name: version for name, version in found.items() if version is not None}


def check_versions(packages: dict[str, str], format_name: str) -> Iterator[Obstacle]:
    """Yield an obstacle for each package that is missing or too old."""
    bounds = read_lower_bounds()
    runtime = _RUNTIMES.get(format_name, ("", ""))[1]
    for name, extra in packages.items():
        version, bound = package_version(name), bounds.get((extra, name))
        install = f"Install it: pip install 'dummyio[{extra}]'"
        if version is None:
            effect = "the written artifact is not checked" if name == runtime else f"{format_name} cannot be written"
            yield Obstacle("version", f"{name} is not installed: {effect}.", f"{install}.", stops=name != runtime)
        elif bound is not None and _to_numbers(version) < _to_numbers(bound):
            yield Obstacle(
                "version", f"{name} {version} is older than {bound}, the oldest version that is tested.", f"{install}."
            )


def read_lower_bounds() -> dict[tuple[str, str], str]:
    """Return extra and package → lower bound, as the installed distribution declares them; none if it is not installed."""
    try:
        lines = requires("dummyio") or []
    except PackageNotFoundError:  # a source tree on the path
        return {}
    found = [match for line in lines if (match := _REQUIREMENT.match(line))]
    return {(match["extra"], match["name"]): match["bound"] for match in found}


def _to_numbers(version: str) -> tuple[int, ...]:
    """Return the release of a version as numbers, trailing zeros left out: ``2.13.0+cpu`` is (2, 13)."""
    release = re.match(r"\d+(?:\.\d+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
