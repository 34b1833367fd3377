"""A sweep in a browser: two values are tried, the page follows them by itself, and what remains is stopped by a press and a yes."""

import re
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.e2e.browser import Watch, points, serious
from tests.e2e.running import RunningStudio
from tests.e2e.test_journey import TRAINING, unfold

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.demo]

QUICK = {
    "sft-max_steps": 6, "sft-epochs": 1, "sft-batch_size": 2, "sft-max_length": 128, "sft-eval_every": 2, "sft-eval_rows": 4,
    "sft-general_rows": 2,
}  # fmt: skip
RATES = "0.0002, 0.002, 0.0004, 0.001, 0.0001"  # enough that some remain once the page has drawn those before
PROJECT = """
from projects.models import Project
answer = Project.objects.get(name="Python language reference").slug
"""


@pytest.fixture
def page(window: BrowserContext, studio: RunningStudio) -> Any:
    page = window.new_page()
    watch = Watch(page, studio.url)
    yield page
    page.close()
    assert watch.problems == []


def test_a_sweep_is_begun_followed_and_stopped(page: Any, studio: RunningStudio) -> None:
    page.goto(f"/p/{studio.django(PROJECT)}/training/start/")
    page.locator("input[name=base_key][value=smollm2-135m-instruct]").check()
    page.locator("input[name=preset][value=quick]").check()
    expect(page.locator("[name=sft-max_steps]")).to_have_value("40")
    page.locator("input[name=evaluate]").uncheck()
    for name, value in QUICK.items():
        unfold(page, f"[name='{name}']")
        page.locator(f"[name='{name}']").fill(str(value))
    page.locator("#sweep-fold > summary").click()
    page.get_by_label("Setting to vary").select_option(label="Learning rate")
    page.get_by_label("Its values").fill(RATES)
    expect(page.locator("#sweep-plan")).to_contain_text("5 runs")
    page.get_by_role("button", name=re.compile("^Start")).click()

    page.wait_for_url("**/sweeps/**")
    page.evaluate("window.neverReloaded = true")
    rows = page.locator("#sweep-rows tbody tr")
    expect(rows).to_have_count(5)
    lines = "() => (document.querySelector('#compare-eval-loss .chart-plot')?.data || []).some((line) => line.x.length > 1)"
    page.wait_for_function(lines, timeout=TRAINING)
    expect(rows.filter(has_text="Succeeded").first).to_be_visible(timeout=TRAINING)
    expect(page.get_by_role("heading", name="Best so far")).to_be_visible()
    expect(rows.filter(has_text="best").first).to_be_visible()
    assert page.evaluate("window.neverReloaded") is True

    # The rows are put in place anew under the question; it is asked and answered all the same
    page.locator("#sweep-stop").click()
    dialog = page.locator("#confirm")
    expect(dialog).to_contain_text("Stop all that remain?")
    with page.expect_response(re.compile(r"\?part=rows")):
        pass
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Stop them").click()
    expect(page.locator("#sweep-head")).to_contain_text("5 trainings, all ended", timeout=TRAINING)
    expect(page.locator("#sweep-stop")).to_have_count(0)
    best = rows.filter(has_text="best").first.locator("th .strong").inner_text()
    assert [step for step, _ in points(page, "compare-eval-loss", f"Learning rate {best}")] == [0, 2, 4, 6]
    assert serious(page) == []
