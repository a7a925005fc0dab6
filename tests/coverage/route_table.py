"""What the tables of TensorFlow's routes share: each row has a result for each route, and the reasons of refusals stand below."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from child_runs import KeptRows
from scores import escape

ROUTES = {"SavedModel": "saved_model", ".pb": "model.pb", ".tflite": "model.tflite", ".onnx": "model.onnx"}
Found = dict[str, str]
"""Column → "yes", "yes" and what holds besides, or an error."""


def measure_routes(attempt: Callable[[Path, str | None], str], folder: Path) -> Found:
    """Return the result of each route; where an error proposes sizes to fix, ``attempt(path, static)`` tries these too."""
    found = {}
    for route, file in ROUTES.items():
        (folder / route).mkdir()
        found[route] = attempt(folder / route / file, None)
        for static in ("batch_size", "all_but_batch", "all"):
            if f"static={static!r}" in found[route] and attempt(folder / route / file, static) == "yes":
                found[route] = f"yes, static={static!r}"
                break
    return found


def measure_rows(
    names: Iterable[str], only: Sequence[str], kept: Path | None, measure: Callable[[str, Path], Found]
) -> dict[str, Found]:
    """Measure the names that contain one of `only`; what a file has already is not measured again."""
    file = KeptRows(kept)
    known = {row["name"]: row["found"] for row in file.read()}
    rows = {}
    for name in names:
        if name in known:
            rows[name] = known[name]
        elif any(part in name for part in only):
            with tempfile.TemporaryDirectory() as folder:
                rows[name] = measure(name, Path(folder))
            file.add({"name": name, "found": rows[name]})
            print(name, *(f"\n  {column}: {text}" for column, text in rows[name].items()), flush=True)  # noqa: T201
    return rows


def build_table(rows: dict[str, Found], what: str, columns: Sequence[str], headline: str) -> str:
    """Return the table, and below it the reasons; `headline` names ``{rows}`` and ``{counts}``, how often each column says yes."""
    reasons: list[str] = []
    lines = [f"| {what} | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, found in rows.items():
        cells = []
        for text in found.values():
            if not text.startswith("yes") and (short := _shorten(text)) not in reasons:
                reasons.append(short)
            cells.append(text if text.startswith("yes") else f"no [{reasons.index(_shorten(text)) + 1}]")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    counts = ", ".join(f"{column} {sum(row[column].startswith('yes') for row in rows.values())}" for column in columns)
    told = [f"{place}. {reason}" for place, reason in enumerate(reasons, 1)]
    return "\n".join([headline.format(rows=len(rows), counts=counts), "", *lines, "", *told])


def _shorten(text: str) -> str:
    """Return an error on one line, without the lines of the measured files."""
    text = re.sub(r" \((?:\w+_programs|tensorflow_operators)\.py:\d+[^)]*\)", "", " ".join(text.split()))
    return escape(text[:400])
