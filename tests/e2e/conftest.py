"""One demo project, made by the real command, and a real Chromium for all browser tests.

``STUDIO_TEST_DEMO_HOME`` names a home that is kept: the first time the demo is built there, later it is found as it was left.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from tests.e2e.browser import chromium, sign_in
from tests.e2e.running import RunningStudio, start_demo

HERE = Path(__file__).parent
PATIENCE = float(os.environ.get("STUDIO_TEST_DEMO_SECONDS", 45 * 60))
SLOW = 60_000  # milliseconds a page may take on a busy machine before a test gives up
SERVER_TIMES: dict[str, list[float]] = {}  # page → milliseconds until its first byte; tests put in what they measure
WANTED_MS = 100
expect.set_options(timeout=SLOW)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of these come last: the studio they share is not to work beside other tests."""
    ours = [item for item in items if HERE in item.path.parents]
    items[:] = [item for item in items if HERE not in item.path.parents] + ours


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long the web server took for each page: measured, not judged, for other work may slow this machine."""
    if not SERVER_TIMES:
        return
    terminalreporter.section("server time of each page, in milliseconds")
    for name, times in sorted(SERVER_TIMES.items(), key=lambda item: -max(item[1])):
        mark = f"  above {WANTED_MS}" if min(times) > WANTED_MS else ""
        terminalreporter.write_line(f"{name:<24}" + "".join(f"{one:>8.0f}" for one in times) + mark)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStudio]:
    """The demo, built and serving. Ends with Ctrl+C, after which nothing it started may be alive."""
    folder = tmp_path_factory.mktemp("studio demo")  # with a space: it must work there too
    kept = os.environ.get("STUDIO_TEST_DEMO_HOME", "").strip()
    home = Path(kept).expanduser().resolve() if kept else folder / "home"
    made = start_demo(home, folder / "output.txt", PATIENCE)
    yield made
    made.stop()


# The browsers end with their module: while one is open its event loop runs in this thread, which other tests cannot have


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def signed_in(studio: RunningStudio, browser: Browser) -> dict[str, Any]:
    """The owner's cookies."""
    context = browser.new_context(base_url=studio.url)
    context.set_default_timeout(SLOW)
    sign_in(context.new_page(), studio.sign_in_link())
    state = context.storage_state()
    context.close()
    return dict(state)


@pytest.fixture(scope="module")
def window(studio: RunningStudio, browser: Browser, signed_in: dict[str, Any]) -> Iterator[BrowserContext]:
    """A browser window of the owner, 1440 pixels wide."""
    context = browser.new_context(
        base_url=studio.url, storage_state=signed_in, viewport={"width": 1440, "height": 900}, accept_downloads=True
    )
    context.set_default_timeout(SLOW)
    yield context
    context.close()
