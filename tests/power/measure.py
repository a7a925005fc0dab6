"""Measure the power of a validation: which planted defects it finds, and which sound exports it lets pass.

    python tests/power/measure.py [--only mask,swapped] [--write]

Exports by Optimum are measured if ``DUMMYIO_OPTIMUM_PYTHON`` names a Python that has it, those by skl2onnx if it is installed.

Three are asked about each artifact: `dummyio.validate`; PyTorch's own verification (``torch.onnx.export(verify=True)``); and a
comparison as Optimum's is: names, shapes and ``allclose``, once, at the sizes that it was exported with. The exit code is 1
where dummyio misses a defect, finds it for another reason, or finds a sound export wrong.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from planted import faces, sizes, sums, uses, values
from planted.judging import Verdict, of_defect, of_sound
from planted.registry import DEFECTS
from planted.sound import sounds
from rich.console import Console
from rich.progress import track
from rich.table import Table

__all__ = ["faces", "main", "sizes", "sums", "uses", "values"]

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "validation-power.md"
ASKED = ("dummyio", "PyTorch's verification", "allclose at one shape")

_ABOUT = """# What a validation finds

Measured on exports with one planted defect each, all of which a validation must find, and on sound exports, all of which it must pass.
`nox -s power -- --write` measures again and writes this page.

The models are tiny, with random weights of standard deviation 0.2, about that of a trained model of this width: with the 0.02 of a new
model most defects below would change results by less than rounding. Each defect is an edit of the graph of a real export, or an export of
a changed module; the reference is the original module.

Three checks are compared:

- `dummyio.validate` with only the artifact, the module and its inputs;
- the verification of PyTorch, on the exported program and its example inputs, with the limits of ``torch.onnx.export(verify=True)``;
- a comparison like Optimum's: names of outputs, shapes and ``numpy.allclose(atol=1e-4)``, once, at the sizes of the export.

The verification of PyTorch assigns inputs and outputs by position, so it does not check names. It also reports elements that are nearly 0
and differ a little.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, and write the page where that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="parts of names, separated by commas")
    parser.add_argument("--write", action="store_true", help="write docs/reference/validation-power.md")
    asked = parser.parse_args(arguments)
    parts = [part for part in asked.only.split(",") if part]
    if parts and asked.write:
        parser.error("--write is of all: leave out --only")
    console = Console()

    def chosen(text: str) -> bool:
        return not parts or any(part in text for part in parts)

    planted = [defect for name, defect in DEFECTS.items() if chosen(name)]
    good = [sound for sound in sounds() if chosen(f"{sound.name} {sound.route}")]
    defects = [of_defect(defect) for defect in track(planted, "defects", console=console)]
    sound = [of_sound(one) for one in track(good, "sound exports", console=console)]
    console.print(_table("Planted defects", "defect", defects, "[red]missed[/]"))
    console.print(_table("Sound exports", "model", sound, "passed"))
    for line in _summary(defects, sound):
        console.print(line)
    if asked.write:
        PAGE.write_text(_page(defects, sound), encoding="utf-8")
    wrong = [one for one in defects if not one.is_named] + [one for one in sound if one.dummyio]
    return 1 if wrong else 0


def _said(verdict: Verdict) -> tuple[str | None, str | None, str | None]:
    """Return what each says; of a defect that was found for its own reason, that finding alone."""
    return verdict.expected if verdict.is_named else verdict.dummyio, verdict.torch, verdict.allclose


def _table(title: str, what: str, verdicts: Iterable[Verdict], nothing: str) -> Table:
    table = Table(title=title)
    for name in (what, "about", *ASKED):
        table.add_column(name)
    for one in verdicts:
        table.add_row(one.name, one.about, *("-" if text is None else text or nothing for text in _said(one)))
    return table


def _summary(defects: Sequence[Verdict], sound: Sequence[Verdict]) -> list[str]:
    lines = []
    for place, name in enumerate(ASKED):
        found = sum(bool(_said(one)[place]) for one in defects)
        judged = [said for one in sound if (said := _said(one)[place]) is not None]
        passed = sum(not said for said in judged)
        lines.append(
            f"{name}: finds {found} of {len(defects)} defects; passes {passed} of {len(judged)} sound exports."
        )
    named = sum(one.is_named for one in defects)
    return [*lines, f"dummyio names {named} of {len(defects)} defects by the expected finding at the expected place."]


def _page(defects: Sequence[Verdict], sound: Sequence[Verdict]) -> str:
    lines = [_ABOUT, *(f"- {line}" for line in _summary(defects, sound)), ""]
    lines += ["## Planted defects", "", *_rows(("defect", "what is wrong"), defects, "missed"), ""]
    lines += ["## Sound exports", "", *_rows(("model", "route"), sound, "passed"), ""]
    return "\n".join(lines)


def _rows(heads: tuple[str, str], verdicts: Sequence[Verdict], nothing: str) -> list[str]:
    lines = [f"| {' | '.join((*heads, *ASKED))} |", "| --- | --- | --- | --- | --- |"]
    for one in verdicts:
        cells = ["not asked" if text is None else text or nothing for text in _said(one)]
        lines.append(f"| {' | '.join((one.name, one.about, *cells))} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
