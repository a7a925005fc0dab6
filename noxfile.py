"""The checks, a session for each question. ``nox`` asks them all but the benchmarks.

Versions come from ``constraints.txt``. The sessions that need a framework run on the Python that runs nox; ``core`` runs
on every supported one that is installed. PyTorch is installed first and alone: resolved together with other packages, pip
may take a build for another device, which is gigabytes larger.
"""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import nox

ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13"]
FRAMEWORKS = {
    "torch": ["torch"],
    "tensorflow": ["tensorflow", "ai_edge_litert", "tf2onnx"],
    "jax": ["jax", "flax"],
    "onnx": ["onnx", "onnxruntime"],
}
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

nox.needs_version = ">=2025.2"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.error_on_missing_interpreters = False  # `core` skips the Pythons that are absent, and says so


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install("--constraint", "constraints.txt", "ruff")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy and pyright, strict, with the frameworks there: without them their types are all `Any` and nothing is checked."""
    install(session, "all", "flax", "jax2onnx", "test", "types")
    session.run("mypy")
    session.run("pyright")


@nox.session
def package(session: nox.Session) -> None:
    """Build the sdist and the wheel; use the wheel in an environment of its own, away from the checkout."""
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
    """Run the tests without any framework: those that need one skip, all others pass."""
    install(session, "test")
    pytest(session, "tests", "--ignore=tests/packaging")


@nox.session(python=PYTHONS[0])
def oldest(session: nox.Session) -> None:
    """Run the core's tests with the oldest versions that it claims to work with."""
    needs = nox.project.load_toml(ROOT / "pyproject.toml")["project"]["dependencies"]
    session.install(*(need.replace(">=", "==") for need in needs))
    session.install("--editable", ".[test]")
    pytest(session, "tests", "--ignore=tests/packaging")


@nox.session
@nox.parametrize("name", list(FRAMEWORKS), ids=list(FRAMEWORKS))
def framework(session: nox.Session, name: str) -> None:
    """Run the tests with one framework, alone in its environment, so that none leans on what another brings."""
    install(session, name, "test", *(["flax"] if name == "jax" else []))
    elsewhere = [
        f"--ignore=tests/{folder}" for folder in ("packaging", "spec", "materialize", "huggingface", "generators")
    ]
    pytest(session, "tests", *elsewhere, needs=FRAMEWORKS[name])


@nox.session
def everything(session: nox.Session) -> None:
    """Run all tests, with all frameworks in one process."""
    install(session, "all", "flax", "jax2onnx", "test", "package", "browser")
    pytest(session, "tests", needs=EVERY_FRAMEWORK)


@nox.session(default=False)
def bench(session: nox.Session) -> None:
    """Measure; what follows ``--`` goes to the benchmarks."""
    install(session, "all")
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Measure how many real model classes run; what follows ``--`` goes to the tool: ``--show``, ``--write``."""
    install(session, "all")
    session.run("python", "tests/coverage/measure.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


@nox.session(default=False)
def routes(session: nox.Session) -> None:
    """Measure which routes out of TensorFlow work on real models; what follows ``--`` goes to the tool: ``--only``, ``--write``."""
    install(session, "tensorflow", "onnx", "test-models")
    session.run("python", "tests/coverage/routes_tensorflow.py", *session.posargs, env={"TF_CPP_MIN_LOG_LEVEL": "3"})


@nox.session(default=False)
def routes_jax(session: nox.Session) -> None:
    """Measure which routes out of JAX work on small models of many kinds; what follows ``--`` goes to the tool: ``--only``, ``--write``."""
    install(session, "jax", "jax2onnx", "tensorflow", "onnx")
    session.run("python", "tests/coverage/routes_jax.py", *session.posargs, env={"TF_CPP_MIN_LOG_LEVEL": "3"})


@nox.session(default=False)
def exports(session: nox.Session) -> None:
    """Measure which classes of Transformers export with symbolic sizes; what follows ``--`` goes to the tool: ``--every``, ``--write``."""
    install(session, "all")
    session.run("python", "tests/coverage/exports.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


@nox.session(default=False)
def power(session: nox.Session) -> None:
    """Measure which planted defects a validation finds; what follows ``--`` goes to the tool: ``--only``, ``--write``."""
    install(session, "all")
    session.run("python", "tests/power/measure.py", *session.posargs, env={"HF_HUB_OFFLINE": "1"})


def install(session: nox.Session, *extras: str) -> None:
    """Install the checkout, editable, with these extras."""
    if "torch" in extras or "all" in extras:
        session.install("--constraint", "constraints.txt", "torch")
    session.install("--constraint", "constraints.txt", "--editable", f".[{','.join(extras)}]")


def pytest(session: nox.Session, *arguments: str, needs: list[str] | None = None) -> None:
    """Run pytest; fail also where no test ran, and where one was skipped for want of what this session installed."""
    report = Path(session.create_tmp()) / "tests.xml"
    # Processes side by side must collect the same tests in the same order: those that come from sets follow the hash's seed.
    fixed = {"HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"}
    side_by_side = ["--numprocesses=2", "--dist=loadfile"]
    session.run("pytest", f"--junit-xml={report}", *side_by_side, *(session.posargs or arguments), env=fixed)
    cases = ET.parse(report).getroot().findall(".//testcase")  # noqa: S314 - our own file
    skipped = [
        "".join([skip.get("message", ""), *skip.itertext()]) for case in cases for skip in case.findall("skipped")
    ]
    if len(skipped) == len(cases):
        session.error("No test ran.")
    missing = [name for name in needs or [] if any(f"could not import '{name}'" in reason for reason in skipped)]
    if missing and not session.posargs:
        session.error(f"Tests were skipped for want of {', '.join(missing)}, which this session installs.")
