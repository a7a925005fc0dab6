"""The page in a real browser: its content and its layout."""

import io
import re

import numpy as np
import pytest

pytest.importorskip("jinja2")
playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("onnxruntime")

from browser import find_browser

BROWSER = find_browser()
if BROWSER is None:
    pytest.skip("no browser: set DUMMYIO_BROWSER to a Chromium, or put one on the PATH", allow_module_level=True)

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
KINDS = ["exact", "in4", "in3", "in2", "in1", "over1", "over2", "over3"]


@pytest.fixture(scope="module")
def chromium():
    with playwright.sync_playwright() as started:
        # Without the sandbox, which needs more rights than a container has; the pages are our own.
        browser = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(chromium, folder):
    """Open the page of a report from a file; fail for any message on its console, and for any request to the network."""
    contexts, said = [], []

    def show(report, size=DESK, scheme="light", *, scripts=True):
        path = folder / "page.html"
        report.save(path)
        context = chromium.new_context(viewport=size, color_scheme=scheme, java_script_enabled=scripts)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: request.url.startswith(("file:", "data:")) or said.append(request.url))
        page.goto(path.as_uri())
        return page

    show.said = said
    yield show
    for context in contexts:
        context.close()
    assert said == []


def colour(page, selector):
    return page.eval_on_selector(selector, "cell => getComputedStyle(cell).backgroundColor")


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_a_report_that_passes(show, sound):
    page = show(sound)
    assert page.inner_text("h1") == "Passed"
    assert page.title() == f"✓ {sound.actual}: validation"
    assert page.locator(".map tbody td").count() == len(sound.outcomes)
    assert page.locator(".map tbody td.failed").count() == 0
    assert page.locator("#findings").count() == 0
    assert sound.spec in page.inner_text("#made")


def test_a_report_that_fails(show, wrong):
    page = show(wrong)
    assert page.inner_text("h1") == "Failed"
    assert page.locator(".map tbody td").count() == len(wrong.outcomes) * 5
    failing = sum(not made.ok for outcome in wrong.outcomes for made in outcome.comparisons)
    unrun = sum(not outcome.comparisons for outcome in wrong.outcomes)
    cells = page.locator(".map tbody td.failed")
    assert cells.count() == failing + 5 * unrun
    assert all(cells.nth(i).is_visible() for i in range(cells.count()))
    marks = {cells.nth(i).inner_text()[0] for i in range(cells.count())}
    assert marks == {"✗", "!"}, "failures have a mark too, not a color only"
    assert page.locator("#findings article").count() == len(wrong.findings) + 1  # no case passed


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colors_show_the_size_of_errors(show, wrong, scheme):
    page = show(wrong, scheme=scheme)
    shown = [colour(page, f".legend .{kind}") for kind in KINDS]
    assert len(set(shown)) == len(KINDS)
    assert colour(page, ".map td.over3") == shown[-1] != colour(page, ".map td.exact")


def test_text_has_contrast_in_both_color_schemes(show, wrong):
    def contrast(page, selector):
        ink, paper = page.eval_on_selector(
            selector,
            """node => {
                const style = getComputedStyle(node);
                let at = node;
                while (getComputedStyle(at).backgroundColor === "rgba(0, 0, 0, 0)") at = at.parentElement;
                return [style.color, getComputedStyle(at).backgroundColor];
            }""",
        )
        light = sorted((luminance(ink), luminance(paper)))
        return (light[1] + 0.05) / (light[0] + 0.05)

    def luminance(text):
        channels = np.array([int(n) for n in re.findall(r"\d+", text)[:3]]) / 255
        linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for scheme in ("light", "dark"):
        page = show(wrong, scheme=scheme)
        places = [
            "h1", ".lead", "article p", ".shown", ".tiles li", ".flag.failed", "#made dd", ".data thead th",
            "summary", *(f".legend .{kind}" for kind in KINDS),
        ]  # fmt: skip
        poor = {place: round(ratio, 1) for place in places if (ratio := contrast(page, place)) < 4.5}
        assert poor == {}, scheme


@pytest.mark.parametrize("name", ["sound", "wrong", "large", "alone"])
def test_it_fits_a_phone(show, request, name):
    page = show(request.getfixturevalue(name), PHONE)
    assert overflow(page) == 0
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert overflow(page) == 0


def test_many_outputs_can_be_searched_and_sorted(show, large):
    page = show(large)
    assert page.locator(".map tbody td").count() == len(large.outcomes) * 58
    rows = page.locator("#outputs tbody tr")
    assert rows.first.inner_text().endswith("256 rounding steps of float32")
    assert rows.first.get_attribute("class") == "failed", "failed outputs come first"
    page.fill("#outputs .filter", "present.27")
    assert page.locator("#outputs tbody tr:visible").count() == 2
    page.fill("#outputs .filter", "")
    page.click("#outputs thead button >> text=max abs")
    assert page.locator("#outputs [aria-sort=ascending]").count() == 1
    errors = rows.evaluate_all("rows => rows.map(row => Number(row.cells[2].dataset.sort))")
    assert errors == sorted(errors)
    assert errors[-1] > errors[0]


def test_a_cell_shows_its_numbers(show, wrong):
    page = show(wrong)
    page.click(".map td.over1 >> nth=0")
    assert re.match(r"shifted in distinct sizes, \[3, 5, 3\]: max abs 2.0e-04, ", page.inner_text("#readout"))


def test_a_finding_leads_to_its_case(show, wrong):
    page = show(wrong)
    page.click("#findings a >> text='batch_size=1'")
    assert page.inner_text("tr:target th") == "batch_size=1"


def test_names_are_shown_as_text(show, large):
    page = show(large)
    assert page.title() == f"✗ {large.actual}: validation"
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    name = next(one.output for one in large.by_output() if not one.ok)
    assert page.inner_text("#outputs tbody tr.failed th") == name


def test_the_page_blocks_other_scripts(show, sound):
    page = show(sound)
    page.evaluate("""
        const script = document.createElement("script");
        script.textContent = "document.title = 'taken'";
        window.refused = new Promise(done => document.addEventListener("securitypolicyviolation", done));
        document.body.append(script);
    """)
    assert page.evaluate("window.refused.then(event => event.effectiveDirective)") == "script-src-elem"
    assert page.title() != "taken"
    page.wait_for_timeout(50)
    assert [text for text in show.said if "Content Security Policy" not in text] == []
    show.said.clear()


def test_the_page_is_complete_without_scripts(show, wrong):
    page = show(wrong, scripts=False)
    for place in ("h1", "#findings", ".map", "#histograms svg >> nth=0", "#outputs .data", "#cases .data", "#made"):
        assert page.locator(place).is_visible(), place
    assert page.locator(".filter").count() == 0
    assert not page.locator("#readout").is_visible()
    page.check("#outputs .only input")
    assert page.locator("#outputs tbody tr:visible").count() == 4


def test_the_tolerance_is_drawn_at_its_value(show, wrong):
    page = show(wrong)
    shifted = page.locator("#histograms figure").filter(has_text="shifted")
    bound, bar = (shifted.locator(place).bounding_box() for place in ("rect.bound", "rect.over"))
    # 2e-4 is off by more than the tolerance, 1.3e-4 and more: both in one decade.
    assert bar["x"] <= bound["x"] + 1
    assert bound["x"] + bound["width"] <= bar["x"] + bar["width"] + 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_is_drawn(show, wrong, scheme):
    image = pytest.importorskip("PIL.Image")
    shot = np.asarray(image.open(io.BytesIO(show(wrong, scheme=scheme).screenshot())).convert("L"))
    assert shot.shape == (DESK["height"], DESK["width"])
    assert shot.std() > 5
    assert (shot.mean() < 100) == (scheme == "dark")
