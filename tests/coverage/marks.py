"""The measured part of a page: between two marks, and written by the command that the page names."""

from pathlib import Path

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def write_between(page: Path, text: str) -> None:
    """Put a text between the marks of a page; the rest of the page stays as it is."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")
