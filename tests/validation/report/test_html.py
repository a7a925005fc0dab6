"""The HTML of the page; checks that need no browser."""

import re
import sys
from html.parser import HTMLParser

import msgspec
import pytest

from dummyio.errors import NotInstalledError

pytest.importorskip("jinja2")
pytest.importorskip("onnxruntime")

from dummyio.validation.data.records import RunRecord
from dummyio.validation.report.html import to_html

VOID = {"meta", "link", "input"}


class Balance(HTMLParser):
    """Fails if a closed tag was not opened."""

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()


def read(report):
    parser = Balance()
    parser.feed(to_html(report).decode())
    assert parser.open == []
    return parser


@pytest.mark.parametrize("name", ["sound", "wrong", "large", "alone"])
def test_it_is_one_whole_page(request, name):
    tags = read(request.getfixturevalue(name)).tags
    assert [tag for tag, _ in tags[:2]] == ["html", "head"]
    assert not {"img", "iframe", "object", "form"} & {tag for tag, _ in tags}
    links = [attrs.get("href") or attrs.get("src") for tag, attrs in tags if {"href", "src"} & set(attrs)]
    assert all(link.startswith(("#", "data:")) for link in links), "nothing is loaded"
    assert not [attrs for _, attrs in tags if any(key == "style" or key.startswith("on") for key in attrs)]


def test_links_lead_to_cases_of_the_page(wrong):
    tags = read(wrong).tags
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert {attrs["href"][1:] for tag, attrs in tags if tag == "a"} <= set(ids)


def test_names_are_escaped(large):
    name = next(one.output for one in large.by_output() if not one.ok)
    assert "<script>" in name
    page = to_html(large).decode()
    assert name not in page
    assert page.count("<script>") == page.count("</script>") == 1


def test_every_text_is_escaped(wrong):
    """An attack in any text of a report adds no element to the page."""
    attack = "'\"><script>alert(1)</script>{{ 7 * 7 }}\0\x1b\ud800"

    def attacked(value):
        if isinstance(value, str):
            return value if value in {"failed", "passed", "error", "warning", "skipped", "drawn", "ends"} else attack
        if isinstance(value, dict):
            return {f"{attack} {key}": attacked(part) for key, part in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(map(attacked, value))
        if isinstance(value, msgspec.Struct):
            changed = {name: attacked(getattr(value, name)) for name in value.__struct_fields__}
            return type(value)(**changed)
        return value

    parser = read(attacked(wrong))
    assert [tag for tag, _ in parser.tags].count("script") == 1
    assert "49" not in {text.strip() for text in re.findall(r">([^<]*)<", to_html(attacked(wrong)).decode())}


def test_an_empty_report(sound):
    page = to_html(
        msgspec.structs.replace(sound, outcomes=(), findings=(), run=RunRecord(), versions={}, runs={})
    ).decode()
    assert "Failed" in page
    assert "No case passed" in page


def test_the_same_report_is_the_same_page(sound):
    assert to_html(sound) == to_html(type(sound).from_json(sound.to_json()))


def test_without_jinja(sound, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(NotInstalledError, match=r"pip install 'dummyio\[report\]'"):
        sound.save(tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_sixty_cases_of_sixty_outputs_stay_small(large):
    outcomes = [
        msgspec.structs.replace(one, case=msgspec.structs.replace(one.case, name=f"{one.case.name} {number}"))
        for number in range(8)
        for one in large.outcomes
    ]
    page = to_html(msgspec.structs.replace(large, outcomes=tuple(outcomes[:60])))
    assert page.count(b'<td class="cell') == 60 * 58
    assert len(page) < 1_500_000
