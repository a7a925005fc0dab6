"""The checks: each session answers one question. ``nox`` runs all but those that measure.

Versions come from ``constraints.txt``; ``oldest`` takes the lower bounds of ``pyproject.toml`` instead. Sessions with a framework
run on the Python that runs nox; ``core`` runs on each supported Python that is installed. PyTorch is installed first and alone: if
pip resolves it together with other packages, it may choose a build for another device, which is gigabytes larger.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import nox

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13"]
FRAMEWORKS = {
    "torch": ["torch"],
    "tensorflow": ["tensorflow", "ai_edge_litert", "tf2onnx"],
    "litert": ["ai_edge_litert"],
    "jax": ["jax", "flax"],
    "onnx": ["onnx", "onnxruntime"],
}
LONG = [
    f"--ignore=tests/{name}" for name in ("coverage", "fuzz", "materialize/test_peak_memory.py", "test_benchmarks.py")
]
"""What takes long and is the same with each version and framework: attacks, and measures of coverage, memory and time."""
ONE_SESSION = (
    "packaging",
    "spec",
    "feeds",
    "materialize/test_values.py",
    "cli/test_interrupts.py",
    "cli/test_program.py",
    "test_atomic_files.py",
    "test_temporaries.py",
    "test_signals.py",
    "backends/tensorflow/test_shape_constants.py",
    "backends/tensorflow/test_exporting.py",
    "backends/jax/test_exporting.py",
    "backends/jax/test_trust.py",
)
"""What ``everything`` leaves to ``package``, ``core`` and ``framework``: it takes long, and other frameworks do not matter to it."""
OLDEST = {
    "core": ([], ["tests", "--ignore=tests/packaging"]),
    "onnx": (
        ["onnx", "safetensors", "report"],
        ["tests/backends/onnx/test_conformance.py", "tests/validation", "tests/feeds/test_safetensors.py"],
    ),
    "tensorflow": (
        ["tensorflow"],
        [
            "tests/backends/tensorflow/test_conformance.py",
            "tests/backends/tensorflow/test_running.py",
            # LiteRT 2.0 and 2.1 may end the process on a damaged file.
            "--deselect=tests/backends/tensorflow/test_running.py::test_a_truncated_file",
        ],
    ),
    "litert": (["litert"], ["tests/tflite"]),
    "jax": (
        ["jax", "flax", "jax2onnx"],
        [
            "tests/backends/jax/test_conformance.py",
            "tests/backends/jax/test_flax.py",
            "tests/backends/jax/test_exporting.py",
        ],
    ),
    "torch": (
        ["torch", "onnx", "hf", "diffusers"],
        [
            "tests/backends/torch/test_conformance.py",
            "tests/backends/torch/test_exporting.py",
            "tests/huggingface/config",
        ],
    ),
}
"""Session → the extras whose lower bounds it installs, and its tests: literals, which ``tests/packaging/test_versions.py`` reads."""
EVERY_FRAMEWORK = [
    "torch",
    "tensorflow",
    "jax",
    "flax",
    "jax2onnx",
    "onnx",
    "onnxruntime",
    "transformers",
    "diffusers",
    "safetensors",
    "jinja2",
]

OPTIMUM = ["optimum==2.1.0", "optimum-onnx==0.1.0", "transformers==4.57.6"]
"""Optimum's last version that exports, and the newest Transformers that it accepts."""

SKLEARN = ["skl2onnx==1.20.0", "scikit-learn==1.9.1"]
"""What converts models that come from no framework."""

LIBRARIES = [
    "torchvision==0.28.0",
    "timm==1.0.31",
    "torchaudio==2.11.1",
    "torch_geometric==2.8.1",
    "sentence-transformers==6.2.0",
    "peft==0.21.2",
]
"""Libraries whose models are measured, installed without what they require: with it pip may choose a PyTorch for another device."""
LIBRARY_NEEDS = ["accelerate", "pillow", "pyparsing", "scikit-learn", "scipy", "xxhash"]
"""What these libraries import besides."""

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False  # `core` reports a Python that is absent, and skips it


@nox.session
def lint(session: nox.Session) -> None:
    """Check rules and format with ruff."""
    session.install("--constraint", "constraints.txt", "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session(default=False)
def types(session: nox.Session) -> None:
    """Check types with mypy and pyright, strict. The frameworks are installed: without them their types are `Any`."""
    install(session, "all", "flax", "jax2onnx", "test", "types")
    check_types(session)


@nox.session
def package(session: nox.Session) -> None:
    """Build the sdist and the wheel; use the wheel in an environment of its own, outside the checkout."""
    install(session, "test", "package")
    dist, clean, away = (Path(session.create_tmp()).resolve() / name for name in ("dist", "clean", "away"))
    away.mkdir(exist_ok=True)
    for old in dist.glob("*"):
        old.unlink()
    session.run("python", "-m", "build", "--outdir", str(dist))
    session.run("python", "-m", "venv", "--clear", str(clean))
    python = str(clean / "bin" / "python")
    (wheel,) = dist.glob("*.whl")
    session.run(python, "-m", "pip", "install", "--constraint", "constraints.txt", str(wheel), external=True)
    with session.chdir(away):
        session.run(python, "-m", "pip", "check", external=True)
        session.run(str(clean / "bin" / "dummyio"), "--help", external=True, silent=True)
        source = str(ROOT / "examples" / "bert-base")
        session.run(str(clean / "bin" / "dummyio"), "generate", source, "-o", "inputs.npz", external=True)
    pytest(session, "tests/packaging")


@nox.session(python=PYTHONS)
def core(session: nox.Session) -> None:
    """Run the tests without any framework: those that need one are skipped, all others pass."""
    install(session, "test")
    pytest(session, "tests", "--ignore=tests/packaging", *LONG)


@nox.session(python=PYTHONS[0])
@nox.parametrize("name", list(OLDEST), ids=list(OLDEST))
def oldest(session: nox.Session, name: str) -> None:
    """Run tests with the lower bounds of the core and of one framework; ``docs/reference/versions.md`` lists them."""
    project = nox.project.load_toml(ROOT / "pyproject.toml")["project"]
    extras, tests = OLDEST[name]
    needs = [*project["dependencies"], *(need for extra in extras for need in project["optional-dependencies"][extra])]
    if "torch" in extras:
        session.install("--constraint", "constraints.txt", "torch")
    session.install(*(need.replace(">=", "==") for need in needs))
    session.install("--editable", ".[test]")
    # Packages of that time warn about each other.
    pytest(session, "-W", "ignore::DeprecationWarning", *tests, *LONG)


@nox.session
@nox.parametrize("name", list(FRAMEWORKS), ids=list(FRAMEWORKS))
def framework(session: nox.Session, name: str) -> None:
    """Run the tests with one framework, alone in its environment, so that none depends on packages of another."""
    install(session, name, "test", *(["flax"] if name == "jax" else []))
    folders = ("packaging", "spec", "materialize", "huggingface", "generators", "programs", "power")
    files = ("test_atomic_files.py", "test_temporaries.py", "test_signals.py")
    elsewhere = [*LONG, *(f"--ignore=tests/{name}" for name in (*folders, *files))]
    pytest(session, "tests", *elsewhere, needs=FRAMEWORKS[name])


@nox.session
def everything(session: nox.Session) -> None:
    """Check types, and run the tests with all frameworks in one process, but for those that other sessions run."""
    install(session, "all", "flax", "jax2onnx", "test", "test-consumers", "package", "browser", "types")
    if not session.posargs:
        check_types(session)
    # `fuzz` exports in threads; the other two need JAX alone, and `framework` runs them.
    more = ("backends/torch/test_threads.py", "backends/jax/test_description.py", "backends/jax/test_proof.py")
    elsewhere = [f"--ignore=tests/{name}" for name in (*ONE_SESSION, *more)]
    pytest(session, "tests", *elsewhere, needs=EVERY_FRAMEWORK)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure speed and memory; arguments after ``--`` go to the benchmarks."""
    install(session, "all")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Measure how many real model classes run; arguments after ``--`` go to the tool: ``--show``, ``--write``."""
    install(session, "all")
    session.run("python", "tests/coverage/measure.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


@nox.session(default=False)
def routes(session: nox.Session) -> None:
    """Measure which exports from TensorFlow work on real models; arguments after ``--`` go to the tool: ``--only``, ``--write``."""
    install(session, "tensorflow", "quantize", "onnx", "test-models")
    session.run("python", "tests/coverage/routes_tensorflow.py", *session.posargs, env={"TF_CPP_MIN_LOG_LEVEL": "3"})


@nox.session(default=False)
def operators(session: nox.Session) -> None:
    """Run operators that TFLite or ONNX may lack, and list what refuses them; arguments after ``--`` go to the tool: ``--only``, ``--write``."""
    install(session, "tensorflow", "onnx")
    session.run("python", "tests/coverage/tensorflow_operators.py", *session.posargs, env={"TF_CPP_MIN_LOG_LEVEL": "3"})


@nox.session(default=False)
def routes_jax(session: nox.Session) -> None:
    """Measure which exports from JAX work on small models of many kinds; arguments after ``--`` go to the tool: ``--only``, ``--write``."""
    install(session, "jax", "jax2onnx", "tensorflow", "onnx")
    session.run("python", "tests/coverage/routes_jax.py", *session.posargs, env={"TF_CPP_MIN_LOG_LEVEL": "3"})


@nox.session(default=False)
def exports(session: nox.Session) -> None:
    """Measure which Transformers classes export with dynamic sizes; arguments after ``--`` go to the tool: ``--every``, ``--write``."""
    install(session, "all")
    session.run("python", "tests/coverage/exports.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


@nox.session(default=False)
def files(session: nox.Session) -> None:
    """Describe, run and validate the operator models of the onnx package; arguments after ``--`` go to the tool: ``--only``, ``--write``."""
    install(session, "onnx")
    session.run("python", "tests/coverage/onnx_operators.py", *session.posargs)


@nox.session(default=False)
def libraries(session: nox.Session) -> None:
    """Check the inputs and names of axes of timm's families and torchvision's models; with ``-- --write`` and the like: measure libraries."""
    install(session, "all", "test-models")
    session.install("--constraint", "constraints.txt", *LIBRARY_NEEDS)
    session.install("--no-deps", *LIBRARIES)
    asked = session.posargs or ["--only", "timm,torchvision", "--show", "--check"]
    session.run("python", "tests/coverage/libraries/measure.py", *asked, env={"HF_HUB_OFFLINE": "1"})


@nox.session(default=False)
def planted(session: nox.Session) -> None:
    """Measure whether the proof of a description refutes the mistakes that models refuse."""
    install(session, "torch", "hf")
    session.run("python", "tests/coverage/planted_mistakes.py", *session.posargs)


@nox.session(default=False)
def optimum_parity(session: nox.Session) -> None:
    """Compare inputs with those of Optimum's exporters; arguments after ``--`` go to the tool: ``--show``, ``--write``."""
    install(session, "all")
    session.run("python", "tests/coverage/optimum_parity.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


@nox.session(default=False)
def model_types(session: nox.Session) -> None:
    """Measure for which model types ``AutoModel`` accepts the inputs; arguments after ``--`` go to the tool: ``--only``, ``--write``."""
    install(session, "all")
    session.run("python", "tests/coverage/model_types.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


@nox.session(default=False)
def onnx_models(session: nox.Session) -> None:
    """Measure `AutoModelForONNX` on many architectures, and run all pipelines; arguments after ``--`` go to the tool: ``--write``."""
    install(session, "all", "test")
    env = {"HF_HUB_OFFLINE": "1", "DUMMYIO_EVERY_MODEL": "1"}
    session.run("python", "tests/coverage/onnx_models.py", *session.posargs, env=env)
    session.run("pytest", "tests/onnx_models/test_architectures.py", "tests/onnx_models/test_pipelines.py", env=env)


@nox.session(default=False)
def optimum_folders(session: nox.Session) -> None:
    """Run our folders in Optimum's classes, and Optimum's folders in ours; Optimum has an environment of its own."""
    install(session, "all", "test")
    python = install_optimum(session)
    env = {"HF_HUB_OFFLINE": "1", "DUMMYIO_OPTIMUM_PYTHON": python}
    tests = ["tests/onnx_models/test_optimum_folders.py", "tests/backends/torch/test_transformers.py"]
    session.run("pytest", *(session.posargs or tests), env=env)


@nox.session(default=False)
def optimum_drop_in(session: nox.Session) -> None:
    """Export tiny models with Optimum on inputs of `dummyio.compat.optimum`; arguments after ``--`` go to the tool: ``--only``, ``--write``."""
    python = install_optimum(session)
    session.run(python, "-m", "pip", "install", "--quiet", "--constraint", "constraints.txt", ".", external=True)
    env = {"HF_HUB_OFFLINE": "1"}
    session.run(python, "tests/coverage/optimum_drop_in.py", *session.posargs, external=True, env=env)


@nox.session(default=False)
def fuzz(session: nox.Session) -> None:
    """Attack the readers with all mutated inputs, export in threads and in three orders; arguments after ``--`` go to pytest: ``--fuzz-seed=1``."""
    install(session, "all", "test")
    env = {"HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    tests = ["tests/fuzz", "tests/backends/torch/test_threads.py", "tests/backends/torch/test_order_of_exports.py"]
    session.run("pytest", *tests, "--fuzz-share=1", *session.posargs, env=env)


@nox.session(default=False)
def power(session: nox.Session) -> None:
    """Measure which planted defects a validation finds; arguments after ``--`` go to the tool: ``--only``, ``--write``."""
    install(session, "all")
    session.install(*SKLEARN)
    env = {"HF_HUB_OFFLINE": "1", "DUMMYIO_OPTIMUM_PYTHON": install_optimum(session)}
    session.run("python", "tests/power/measure.py", *session.posargs, env=env)


@nox.session(default=False)
def mutants(session: nox.Session) -> None:
    """Measure which random changes of sound graphs a validation finds; arguments after ``--`` go to the tool: ``--only``, ``--write``."""
    install(session, "all")
    session.run("python", "tests/power/mutants.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


def read_pin(package: str) -> str:
    """Return the version of a package in ``constraints.txt``, with its sign."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix(package) for line in lines if line.startswith(f"{package}=="))


def install_optimum(session: nox.Session) -> str:
    """Return the Python of an environment with Optimum, which needs an older Transformers."""
    home = Path(session.create_tmp()).resolve() / "optimum"
    python = str(home / "bin" / "python")
    session.run("python", "-m", "venv", "--clear", str(home))
    pip = (python, "-m", "pip", "install", "--quiet")
    session.run(*pip, "--constraint", "constraints.txt", "torch", external=True)
    others = (f"onnxruntime{read_pin('onnxruntime')}", "pillow")
    session.run(*pip, *OPTIMUM, *others, external=True)
    return python


def install(session: nox.Session, *extras: str) -> None:
    """Install the checkout, editable, with these extras."""
    if "torch" in extras or "all" in extras:
        session.install("--constraint", "constraints.txt", "torch")
    session.install("--constraint", "constraints.txt", "--editable", f".[{','.join(extras)}]")


def check_types(session: nox.Session) -> None:
    """Run both type checkers."""
    session.run("mypy")
    session.run("pyright")


def pytest(session: nox.Session, *arguments: str, needs: list[str] | None = None) -> None:
    """Run pytest. Fail also if no test ran, or if one was skipped because of a package that this session installed.

    Where ``CI`` is set, the environment is deleted after its tests passed: all environments together need more than 20 GB.
    """
    report = Path(session.create_tmp()) / "tests.xml"
    # All worker processes must collect the same tests in the same order: the order of a set depends on the hash seed. There is a
    # worker for each processor, so an operation gets one thread.
    fixed = {"HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    side_by_side = ["--numprocesses=2", "--dist=loadfile", "--durations=15"]
    session.run("pytest", f"--junit-xml={report}", *side_by_side, *(session.posargs or arguments), env=fixed)
    cases = ET.parse(report).getroot().findall(".//testcase")  # noqa: S314 - our own file
    skipped = [
        "".join([skip.get("message", ""), *skip.itertext()]) for case in cases for skip in case.findall("skipped")
    ]
    if len(skipped) == len(cases):
        session.error("No test ran.")
    missing = [name for name in needs or [] if any(f"could not import '{name}'" in reason for reason in skipped)]
    if missing and not session.posargs:
        session.error(f"Tests were skipped because {', '.join(missing)} did not import, which this session installs.")
    if "CI" in os.environ:
        shutil.rmtree(session.virtualenv.location)
