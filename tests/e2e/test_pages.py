"""Every page of the demo project at two widths, light and dark: it works, fits, can be read by everybody, and stays on this machine."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.browser import Watch, sideways
from tests.e2e.conftest import SERVER_TIMES, SLOW
from tests.e2e.pages import FILL, GONE, PAGES, SIGNED_OUT
from tests.e2e.running import RunningStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.demo]

SIZES = {"1440": (1440, 900), "390": (390, 844)}
THEMES = ("light", "dark")
COLOURS_SETTLED = """async () => {
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().endTime !== Infinity);
  await Promise.allSettled(ending.map((one) => one.finished));
}"""
MOST_TABS = 60  # from the top of the content to its main action


@pytest.fixture(scope="module")
def addresses(studio: RunningStudio) -> dict[str, str]:
    return dict(studio.django(FILL))


@pytest.fixture(scope="module")
def windows(studio: RunningStudio, browser: Browser, signed_in: dict[str, Any]) -> Iterator[dict[str, BrowserContext]]:
    """A signed-in window of each width."""
    opened = {name: _open(studio, browser, size, signed_in) for name, size in SIZES.items()}
    yield opened
    for context in opened.values():
        context.close()


@pytest.fixture(scope="module")
def strangers(studio: RunningStudio, browser: Browser) -> Iterator[dict[str, BrowserContext]]:
    """The same for somebody who is not signed in."""
    opened = {name: _open(studio, browser, size, None) for name, size in SIZES.items()}
    yield opened
    for context in opened.values():
        context.close()


def _open(studio: RunningStudio, browser: Browser, size: tuple[int, int], cookies: Any) -> BrowserContext:
    context = browser.new_context(
        base_url=studio.url, storage_state=cookies, viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce"
    )
    context.set_default_timeout(SLOW)
    return context


def _settle(page: Page) -> None:
    """Until nothing more is loading and every chart is drawn."""
    page.wait_for_load_state("networkidle")
    page.wait_for_function("!document.querySelector('.chart-plot .bone')")


def _troubles(page: Page, theme: str) -> list[str]:
    """What is wrong with how the page looks in ``theme``."""
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    page.evaluate(COLOURS_SETTLED)
    found = [f"{pixels} pixels wider than the window"] if (pixels := sideways(page)) > 0 else []
    for violation in Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]:
        if violation["impact"] in ("serious", "critical"):
            where = [" ".join(map(str, node["target"])) for node in violation["nodes"]]
            found.append(f"axe {violation['id']}: {violation['help']} at {', '.join(where[:4])}{' …' if len(where) > 4 else ''}")
    return [f"{theme}: {trouble}" for trouble in found]


def _examine(name: str, path: str, windows: dict[str, BrowserContext], studio: RunningStudio, expected: int = 200) -> None:
    troubles: list[str] = []
    for size, context in windows.items():
        page = context.new_page()
        watch = Watch(page, studio.url)
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == expected
        _settle(page)
        navigation = "(([one]) => one.responseStart - one.requestStart)(performance.getEntriesByType('navigation'))"
        SERVER_TIMES.setdefault(name, []).append(page.evaluate(navigation))
        looks = [trouble for theme in THEMES for trouble in _troubles(page, theme)]
        complaints = [text for text in watch.problems if expected == 200 or f"status of {expected}" not in text]
        troubles += [f"{size} {text}" for text in [*complaints, *looks]]
        page.close()
    assert troubles == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_works_fits_and_can_be_read_by_everybody(
    name: str, studio: RunningStudio, windows: dict[str, BrowserContext], addresses: dict[str, str]
) -> None:
    _examine(name, PAGES[name].format(**addresses), windows, studio)


@pytest.mark.parametrize("name", SIGNED_OUT)
def test_a_page_for_who_is_not_signed_in_does_so_too(name: str, studio: RunningStudio, strangers: dict[str, BrowserContext]) -> None:
    _examine(name, SIGNED_OUT[name], strangers, studio, expected=410 if name in GONE else 200)


@pytest.mark.parametrize("name", PAGES)
def test_tab_reaches_the_main_action_and_ctrl_k_opens_the_palette(
    name: str, windows: dict[str, BrowserContext], addresses: dict[str, str]
) -> None:
    page = windows["1440"].new_page()
    page.goto(PAGES[name].format(**addresses))
    page.wait_for_load_state("networkidle")
    page.evaluate("document.activeElement?.blur?.()")  # a page may have put the cursor into its first field
    skip = page.locator("a.skip")
    page.keyboard.press("Tab")
    if not skip.evaluate("(link) => link === document.activeElement"):
        skip.focus()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    wanted = ".page-actions :is(a, button), main .btn-primary"
    has_action = page.locator(wanted).count() > 0
    target = wanted if has_action else "main :is(a, button, input, select, textarea, summary, [tabindex='0'])"
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", target):
            break
    else:
        pytest.fail(f"{MOST_TABS} times Tab did not reach {target}")
    outlined = (
        "(({ outlineStyle, boxShadow }) => outlineStyle !== 'none' || boxShadow !== 'none')(getComputedStyle(document.activeElement))"
    )
    assert page.evaluate(outlined), "Nothing shows where the keyboard is"
    page.keyboard.press("Control+k")
    palette = page.locator("#palette")
    expect(palette).to_be_visible()
    expect(palette.get_by_role("option").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(palette).to_be_hidden()
    page.close()
