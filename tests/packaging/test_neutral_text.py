"""All files are about the product only: not about where it was made, nor about open work."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = {".cfg", ".ini", ".md", ".py", ".toml", ".txt", ".yaml", ".yml", ""}

FOREIGN = re.compile(
    r"""
    \b(?:issue|ticket)s?\ \#?\d+          # a tracker's numbers
    | \b(?:previous|next|earlier)\ sessions?\b  # how the work was cut up
    | pypi\.org | pythonhosted\.org | registry\.npmjs\.org | download\.pytorch\.org  # where packages come from
    | (?<![\w.~-])/(?:home|root|opt|work|Users)/\w  # paths of one machine
    | \b(?:TODO|FIXME|XXX|HACK)\b
    """,
    re.VERBOSE,
)


def tracked():
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    own = [path for path in paths if path.suffix in TEXT and "data" not in path.parts and path.name != "LICENSE"]
    return [path for path in own if path.is_file() and path != Path(__file__)]


@pytest.mark.parametrize("path", tracked(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_file_is_about_the_product_only(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if FOREIGN.search(line)] == []
