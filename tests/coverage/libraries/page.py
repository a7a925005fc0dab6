"""The page of the libraries: a row and a section for each, which the measurement of that library replaces."""

import re
from pathlib import Path

from score import Score
from scores import MEASURES, escape, show_share

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "libraries.md"
COLUMNS = (*MEASURES, "named")
_HEAD = f"| library | versions | models | {' | '.join(COLUMNS)} | most MiB to describe |\n|---|---|---:|---:|---:|---:|---:|---:|"
_TABLE = re.compile(r"(?<=<!-- rows: begin -->\n\n).*?(?=\n\n<!-- rows: end -->)", re.DOTALL)
_SECTIONS = re.compile(r"(?<=<!-- sections: begin -->\n).*?(?=\n<!-- sections: end -->)", re.DOTALL)


def write_section(title: str, versions: str, note: str, rows: list[Score]) -> None:
    """Replace the row and the section of a library, or add them; the others stay as they are."""
    shares = " | ".join(show_share(rows, each) for each in COLUMNS)
    line = f"| {title} | {versions} | {len(rows)} | {shares} | {max(row.mib_describe for row in rows)} |"
    _write(title, line, "\n".join(make_section(title, note, rows)))


def write_absence(title: str, reason: str) -> None:
    """Write why a library is not measured."""
    columns = " | ".join("–" for _ in COLUMNS)
    _write(title, f"| {title} | not installed | – | {columns} | – |", f"## {title}\n\nNot measured: {escape(reason)}\n")


def _write(title: str, line: str, section: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    lines = {each.split(" | ")[0].removeprefix("| "): each for each in _find(_TABLE, text).splitlines()[2:]}
    lines[title] = line
    table = "\n".join([_HEAD, *(lines[name] for name in sorted(lines, key=str.lower))])
    text = _TABLE.sub(lambda _: table, text)
    parts = re.split(r"^(?=## )", _find(_SECTIONS, text), flags=re.MULTILINE)
    sections = {part.splitlines()[0].removeprefix("## "): part.strip() for part in parts if part.strip()}
    sections[title] = section.strip()
    joined = "\n\n".join(sections[name] for name in sorted(sections, key=str.lower))
    PAGE.write_text(_SECTIONS.sub(lambda _: f"\n{joined}\n", text), encoding="utf-8")


def _find(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    if found is None:
        raise ValueError(f"{PAGE.name} has lost a pair of its marks: put them back.")
    return found[0]


def make_section(title: str, note: str, rows: list[Score]) -> list[str]:
    """Return what stops the models that do not reach the end, and the axes whose names are not the field's."""
    lines = [f"## {title}", ""]
    if note:
        lines += [note, ""]
    if rows[0].useful is not None:
        lines += [f"Useful (what `forward` needs is right, and other sizes run): {show_share(rows, 'useful')}.", ""]
    stopped = [row for row in rows if not row.dynamic]
    if stopped:
        lines += ["| model | reaches | what stops it |", "|---|---|---|", *map(_show_stop, stopped), ""]
    misnamed = [row for row in rows if row.runs and row.misnamed]
    if misnamed:
        lines += ["| model | names of axes |", "|---|---|"]
        lines += [f"| {row.name} | {escape('; '.join(row.misnamed[:2]))} |" for row in misnamed]
    if not (stopped or misnamed):
        lines += ["All models run at all sizes, with the right names."]
    return [*lines, ""]


def _show_stop(row: Score) -> str:
    reached = next((each for each in reversed(MEASURES) if getattr(row, each)), "nothing")
    return f"| {row.name} | {reached} | {escape(row.reason)} |"
