"""The tables in narrow and wide terminals."""

import io

import msgspec
import pytest
from rich.console import Console

pytest.importorskip("onnxruntime")

from dummyio.validation.data.records import Case, Finding, Outcome
from dummyio.validation.report.terminal import to_renderable, to_text


@pytest.mark.parametrize("width", [60, 80, 120, 160])
@pytest.mark.parametrize("name", ["sound", "wrong", "large", "alone"])
def test_no_line_is_longer_than_the_terminal(request, name, width):
    lines = to_text(request.getfixturevalue(name), width).splitlines()
    assert max(map(len, lines)) <= width


def test_numbers_are_whole_in_80_columns(wrong):
    lines = to_text(wrong, 80).splitlines()
    assert "shifted   failed   2.0e-04   1.000000    100%" in [line.strip() for line in lines]
    assert any(
        line.strip().startswith("sequence_length=12   batch_size=3, sequence_length=12   failed") for line in lines
    )


def test_findings_are_printed_at_any_width(wrong):
    for width in (80, 160):
        text = " ".join(to_text(wrong, width).split())
        for finding in wrong.findings:
            assert f"{finding.severity}: {finding.kind}" in text
    assert to_text(wrong).splitlines()[-1] == "not ok: 0 of 10 cases passed, 5 errors, 0 warnings."


@pytest.mark.parametrize("width", [80, 160])
def test_similar_outputs_that_pass_share_a_line(large, width):
    text = to_text(large, width)
    assert "present.0.key … present.27.value" in text
    assert "(56)" in text
    assert "present.1.key" not in text


def test_a_failed_output_leaves_its_group(large):
    middle = "present.9.key"
    outcomes = tuple(
        msgspec.structs.replace(
            outcome,
            comparisons=tuple(
                msgspec.structs.replace(made, ok=made.output != middle and made.ok) for made in outcome.comparisons
            ),
        )
        for outcome in large.outcomes
    )
    text = to_text(msgspec.structs.replace(large, outcomes=outcomes))
    assert "present.0.key … present.8.value (18)" in text
    assert "present.9.key " in text
    assert "present.9.value … present.27.value (37)" in text


def test_markup_in_names_is_printed_as_text(sound):
    name = "[/red][bold]x[/] [link=http://a]y :smile:"
    outcome = Outcome(Case(name, {name: 1}), "failed", reason=name)
    finding = Finding(name, "error", name, name, (name,))
    report = msgspec.structs.replace(sound, outcomes=(outcome,), findings=(finding,))
    for width in (80, 160):
        assert " ".join(to_text(report, width).split()).count(":smile:") >= 5


def test_small_shares_are_not_rounded_to_zero(sound):
    made = msgspec.structs.replace(sound.outcomes[0].comparisons[0], mismatched=1e-6, top1=0.99999, ok=False)
    report = msgspec.structs.replace(sound, outcomes=(Outcome(sound.outcomes[0].case, "failed", (made,)),))
    assert "<0.1%" in to_text(report)
    assert ">99.9%" in to_text(report)


def test_colors_follow_the_console(wrong):
    stream = io.StringIO()
    Console(file=stream, force_terminal=True, width=100, color_system="standard").print(to_renderable(wrong, 100))
    assert "\x1b[31mfailed" in stream.getvalue()
