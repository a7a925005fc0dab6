"""The measured part of a page: between two marks, and written by the command that the page names."""

from pathlib import Path


def write_between(page: Path, text: str, name: str = "measured") -> None:
    """Put a text between the marks of this name in a page; the rest of the page stays as it is."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")
