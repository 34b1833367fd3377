"""A real Chromium, told to stay on this machine."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("STUDIO_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


class Watch:
    """What a page must not do: complain in the console, fail to load something, or ask another machine for anything.

    While a server is killed on purpose, what the page says about the lost connection is ``excused``.
    """

    def __init__(self, page: Page, origin: str) -> None:
        self.problems: list[str] = []
        self.excused: re.Pattern[str] | None = None
        page.on("console", lambda message: self._note(message.type == "error", f"console: {message.text}"))
        page.on("pageerror", lambda error: self._note(True, f"script: {error}"))
        page.on("request", lambda request: self._note(_leaves(request.url, origin), f"left the machine: {request.url}"))
        page.on("response", lambda answer: self._note(answer.status >= 500, f"{answer.status} from {answer.url}"))

    def _note(self, is_problem: bool, text: str) -> None:
        if is_problem and not (self.excused and self.excused.search(text)):
            self.problems.append(text)


def _leaves(url: str, origin: str) -> bool:
    return not url.startswith((origin, origin.replace("http", "ws", 1), "data:", "blob:", "about:"))


def sign_in(page: Page, link: str) -> None:
    """Open the one-time link and confirm it."""
    page.goto(link)
    page.get_by_role("button", name="Open the studio").click()
    page.wait_for_load_state("networkidle")


def keys_work(page: Page) -> None:
    """A page that a click led to is seen before its scripts listen; they do once it has loaded."""
    page.wait_for_load_state("load")


def points(page: Page, chart: str, series: str) -> list[tuple[float, float]]:
    """The points of one line as the page draws them now; empty while the chart is not there."""
    script = """([chart, series]) => {
      const plot = document.querySelector(`#${chart} .chart-plot`);
      const line = (plot?.data || []).find((one) => one.name === series);
      return line ? line.x.map((x, at) => [x, line.y[at]]) : [];
    }"""
    return [(x, y) for x, y in page.evaluate(script, [chart, series])]


def drop_files(page: Page, target: str, files: list[dict[str, str]]) -> None:
    """Drop ``files`` (``{"name", "base64"}``) on ``target``, as a person drags them from a folder."""
    transfer = page.evaluate_handle(
        """(files) => {
          const transfer = new DataTransfer();
          for (const { name, base64 } of files) {
            const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
            transfer.items.add(new File([bytes], name));
          }
          return transfer;
        }""",
        files,
    )
    page.dispatch_event(target, "dragover", {"dataTransfer": transfer})
    page.dispatch_event(target, "drop", {"dataTransfer": transfer})


def sideways(page: Page) -> int:
    """By how many pixels the page can be scrolled sideways."""
    script = "Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) - document.documentElement.clientWidth"
    overflow: Any = page.evaluate(script)
    return int(overflow)


def serious(page: Page) -> list[tuple[str, str]]:
    """What axe finds wrong with the page: the rule, and the first place that breaks it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")]
