"""Charts alone in a browser: smoothing, log axes, pointing at all of them at once, lines that are switched off, and bounded memory."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import plotly
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from tests.materials import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ORIGIN = "http://studio.test"
PLOTLY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'"
FIGURE = """<figure class="chart" id="{id}" data-chart="{id}-data"><figcaption>{id}</figcaption>
<button data-chart-log aria-pressed="false">Log</button><button data-chart-download="png">PNG</button>
<div class="chart-plot" tabindex="0"></div><div class="chart-table" hidden></div>
<script id="{id}-data" type="application/json">{spec}</script></figure>"""
PAGE = """<!doctype html><html><head><meta charset="utf-8"><meta name="plotly" content="/plotly.js">
<link rel="stylesheet" href="/static/css/tokens.css"><link rel="stylesheet" href="/static/css/components.css"></head><body>
<label for="smooth">Smoothing</label><input type="range" id="smooth" min="0" max="0.99" step="0.01" value="0" data-chart-smoothing>
<output for="smooth"></output><div data-smoothable>{figures}</div><script type="module" src="/page.js"></script></body></html>"""
SCRIPT = """import { drawChart, extendChart, markStep } from "/static/js/chart.js";
import { smooth, thin } from "/static/js/chart-curves.js";
Object.assign(window, { extendChart, markStep, smooth, thin });
await Promise.all([...document.querySelectorAll("[data-chart]")].map(drawChart));
document.body.dataset.drawn = "yes";"""
NOISE = [2 + (7 * step % 13) / 13 for step in range(200)]


def line_chart(*names: str, **more: Any) -> dict[str, Any]:
    series = [{"name": name, "x": list(range(200)), "y": [value + at for value in NOISE]} for at, name in enumerate(names)]
    return {
        "kind": "line",
        "x": {"title": "Step"},
        "y": {"title": ""},
        "series": series,
        "lines": [],
        "ticks": {"name": "Checkpoint", "x": []},
        **more,
    }


CHARTS = {
    "loss": line_chart("Training", lines=[{"axis": "y", "value": 5, "label": "Budget"}]),
    "speed": line_chart("All"),
    "many": line_chart("One", "Two", "Three", legend=True),
}


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(accept_downloads=True)
    figures = "".join(FIGURE.format(id=name, spec=json.dumps(spec)) for name, spec in CHARTS.items())

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(ORIGIN)
        headers = {"Content-Security-Policy": POLICY}
        if path == "/":
            return route.fulfill(body=PAGE.format(figures=figures), content_type="text/html", headers=headers)
        if path == "/page.js":
            return route.fulfill(body=SCRIPT, content_type="text/javascript")
        return route.fulfill(path=PLOTLY if path == "/plotly.js" else ROOT / path[1:])

    made.route("**/*", answer)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return opened(context)


def opened(context: BrowserContext) -> Page:
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(f"script: {error}"))
    page.on("console", lambda said: pytest.fail(said.text) if said.type == "error" and "favicon" not in said.text else None)
    page.goto(f"{ORIGIN}/")
    page.locator("body[data-drawn]").wait_for(timeout=60_000)
    return page


def lines(page: Page, chart: str) -> list[dict[str, Any]]:
    return list(
        page.evaluate(
            f"document.querySelector('#{chart} .chart-plot').data.map((one) => ({{name: one.name, y: [...one.y], opacity: one.opacity}}))"
        )
    )


def axis(page: Page, chart: str) -> str:
    return str(page.evaluate(f"document.querySelector('#{chart} .chart-plot').layout.yaxis.type ?? 'linear'"))


def roughness(values: list[float]) -> float:
    return sum(abs(after - before) for before, after in pairwise(values))


def test_smoothing_keeps_the_raw_line_faint_and_is_remembered(page: Page, context: BrowserContext) -> None:
    page.locator("#smooth").focus()
    for _ in range(90):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(800)
    for window in (page, opened(context)):
        raw, smoothed = lines(window, "loss")
        assert raw["y"] == NOISE
        assert raw["opacity"] < 1
        assert roughness(smoothed["y"]) < roughness(NOISE) / 10
        assert window.locator("output").text_content() == "0.90"


def test_a_smoothed_line_begins_where_the_raw_one_does_and_keeps_a_constant(page: Page) -> None:
    smooth = "([xs, ys, weight]) => window.smooth(xs, ys, weight)"
    xs = list(range(100))
    assert page.evaluate(smooth, [xs, [5] * 100, 0.9]) == pytest.approx([5] * 100)
    falling = [10 - x / 10 for x in xs]
    assert page.evaluate(smooth, [xs, falling, 0.9])[0] == pytest.approx(10)
    weight, total, sum_ = 0.9, 0.0, 0.0  # by the book: the average of all, each weighing a tenth less than the next
    expected = []
    for value in falling:
        sum_, total = sum_ * weight + value * (1 - weight), total * weight + (1 - weight)
        expected.append(sum_ / total)
    assert page.evaluate(smooth, [xs, falling, 0.9]) == pytest.approx(expected)


def test_a_log_axis_is_a_charts_own_and_is_remembered(page: Page, context: BrowserContext) -> None:
    page.locator("#loss [data-chart-log]").focus()
    page.keyboard.press("Enter")
    page.wait_for_timeout(300)
    for window in (page, opened(context)):
        assert (axis(window, "loss"), axis(window, "speed")) == ("log", "linear")
        assert window.locator("#loss [data-chart-log]").get_attribute("aria-pressed") == "true"


def test_the_arrow_keys_point_at_the_same_step_in_all_charts(page: Page) -> None:
    page.locator("#loss .chart-plot").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(300)
    said = page.evaluate(
        "[...document.querySelectorAll('.chart-plot')].map((plot) => plot.querySelector('.hoverlayer .legendtitletext')?.textContent)"
    )
    assert said == ["3", "3", "3"]


def test_the_mouse_in_one_chart_points_in_the_others(page: Page) -> None:
    page.locator("#loss .chart-plot .nsewdrag").hover()
    page.wait_for_timeout(400)
    said = page.evaluate(
        "[...document.querySelectorAll('.chart-plot')].map((plot) => plot.querySelector('.hoverlayer .legendtitletext')?.textContent)"
    )
    assert said[0]
    assert set(said) == {said[0]}


def test_lines_are_switched_off_and_on_by_the_buttons_of_the_legend(page: Page) -> None:
    two = page.locator("#many .chart-legend button", has_text="Two")
    two.focus()
    page.keyboard.press("Enter")
    assert [one["name"] for one in lines(page, "many")] == ["One", "Three"]
    assert two.get_attribute("aria-pressed") == "false"
    page.keyboard.press("Enter")
    assert [one["name"] for one in lines(page, "many")] == ["One", "Two", "Three"]
    dashes = page.evaluate("document.querySelector('#many .chart-plot').data.map((one) => one.line.dash)")
    assert len(set(dashes)) == 3, "told apart without colour as well"


def test_a_checkpoint_is_marked_as_it_is_saved(page: Page) -> None:
    page.evaluate("window.markStep(50); window.markStep(50); window.markStep(120)")
    page.wait_for_timeout(700)
    marks = page.evaluate("document.querySelector('#loss .chart-plot').data.filter((one) => one.yaxis === 'y2').map((one) => [...one.x])")
    assert marks == [[50, 120]]


def test_a_line_that_grows_for_long_stays_short_and_keeps_its_peak(page: Page) -> None:
    page.evaluate(
        """() => {
          const chart = document.getElementById("loss");
          const some = (x) => Array.from({ length: 100 }, (_, at) => ({ series: "Training", x: x + at, y: x + at === 31234 ? 99 : 2 }));
          for (let x = 200; x < 60200; x += 100) window.extendChart(chart, some(x));
        }"""
    )
    page.wait_for_timeout(1500)
    [line] = lines(page, "loss")
    assert len(line["y"]) <= 4000
    assert max(line["y"]) == 99
    assert page.evaluate("document.querySelector('#loss .chart-plot').data[0].x.at(-1)") == 60199


def test_a_chart_is_saved_as_a_picture(page: Page) -> None:
    with page.expect_download() as saving:
        page.locator("#many [data-chart-download]").click()
    path = saving.value.path()
    assert saving.value.suggested_filename == "many.png"
    assert path.read_bytes().startswith(b"\x89PNG")
