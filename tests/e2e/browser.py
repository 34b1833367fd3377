"""A real Chromium, told to stay on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
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
    """What a page must not do: complain in the console, fail to load something, or ask another machine for anything."""

    def __init__(self, page: Page, origin: str) -> None:
        self.problems: list[str] = []
        page.on("console", lambda message: self._note(message.type == "error", f"console: {message.text}"))
        page.on("pageerror", lambda error: self._note(True, f"script: {error}"))
        page.on("request", lambda request: self._note(_leaves(request.url, origin), f"left the machine: {request.url}"))
        page.on("response", lambda answer: self._note(answer.status >= 500, f"{answer.status} from {answer.url}"))

    def _note(self, is_problem: bool, text: str) -> None:
        if is_problem:
            self.problems.append(text)


def _leaves(url: str, origin: str) -> bool:
    return not url.startswith((origin, origin.replace("http", "ws", 1), "data:", "blob:", "about:"))


def sign_in(page: Page, link: str) -> None:
    """Open the one-time link and confirm it."""
    page.goto(link)
    page.get_by_role("button", name="Open the studio").click()
    page.wait_for_load_state("networkidle")
