"""Pictures of the running studio at STUDIO_HOME.

``python -m tests.e2e.screens [PAGE ...]``: of every page, or of those named, for people to look at, into STUDIO_HOME/screens/.
``python -m tests.e2e.screens --readme``: docs/images/run.png, the run page of the demo's training.
``python -m tests.e2e.screens --live``: docs/images/live-*.png, the page of the training that is running now.
"""

import os
import sqlite3
import sys
import uuid
from contextlib import closing
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.browser import Watch, chromium, sign_in
from tests.e2e.pages import LOOK, PAGES, addresses
from tests.e2e.running import RunningStudio, new_sign_in_link
from tests.materials import ROOT

HOME = Path(os.environ.get("STUDIO_HOME", ROOT / "var"))
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}


def training(home: Path, status: str) -> str:
    """The address of the run page of the first training that ``status`` is true of."""
    query = (
        "SELECT slug, runs_run.id FROM runs_run JOIN projects_project ON projects_project.id = runs_run.project_id "
        "WHERE stage = 'sft' AND status = ? ORDER BY runs_run.created_at LIMIT 1"
    )
    with closing(sqlite3.connect(f"file:{home / 'studio.sqlite3'}?mode=ro", uri=True)) as line:
        found = line.execute(query, [status]).fetchone()
    if found is None:
        sys.exit(f"No training is {status} in {home}.")
    return f"/p/{found[0]}/runs/{uuid.UUID(found[1])}/"


def picture_run(
    home: Path, address: str, target: Path, *, size: tuple[int, int] = (1440, 1000), scheme: str = "light", whole: bool = False
) -> None:
    """The run page at ``address`` once its charts are drawn, into ``target``; with ``whole`` down to its end."""
    link = new_sign_in_link(home)
    with chromium() as browser:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(base_url=link.split("/sign-in/")[0], viewport=viewport, color_scheme=scheme)
        page = context.new_page()
        sign_in(page, link)
        page.goto(address)
        expect(page.locator(".chart-plot .plot-container").first).to_be_visible()
        expect(page.locator(".chart-plot .bone")).to_have_count(0)
        page.wait_for_timeout(1500)
        target.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=target, full_page=whole)
    print(target)


def main(wanted: list[str]) -> int:
    images = ROOT / "docs" / "images"
    if wanted == ["--readme"]:
        picture_run(HOME, training(HOME, "SUCCEEDED"), images / "run.png")
        return 0
    if wanted == ["--live"]:
        running = training(HOME, "RUNNING")
        picture_run(HOME, running, images / "live-light.png", whole=True)
        picture_run(HOME, running, images / "live-dark.png", scheme="dark")
        picture_run(HOME, running, images / "live-narrow.png", size=SIZES["narrow"])
        return 0
    link = new_sign_in_link(HOME)
    origin = link.split("/sign-in/")[0]
    folder = HOME / "screens"
    folder.mkdir(exist_ok=True)
    pages = addresses(PAGES, RunningStudio(HOME, folder / "output.txt").django(LOOK))
    left_out = sorted(PAGES.keys() - pages.keys())
    problems: list[str] = []
    with chromium() as browser:
        context = browser.new_context(base_url=origin)
        page = context.new_page()
        sign_in(page, link)
        state = context.storage_state()
        context.close()
        for size, (width, height) in SIZES.items():
            for theme in ("light", "dark"):
                context = browser.new_context(
                    base_url=origin, storage_state=state, viewport={"width": width, "height": height}, color_scheme=theme
                )
                for name, path in pages.items():
                    if wanted and name not in wanted:
                        continue
                    page = context.new_page()
                    watch = Watch(page, origin)
                    answer = page.goto(path)
                    page.wait_for_timeout(900)
                    page.screenshot(path=folder / f"{name.replace(' ', '-')}-{size}-{theme}.png")
                    status = answer.status if answer else 0
                    problems += [
                        f"{name} {size} {theme}: {text}" for text in [*watch.problems, *([f"status {status}"] if status != 200 else [])]
                    ]
                    page.close()
                context.close()
    print(f"{len(list(folder.glob('*.png')))} pictures in {folder}")
    if left_out:
        print(f"There is nothing yet to show on: {', '.join(left_out)}.")
    print("\n".join(sorted(set(problems))) or "No page complained.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
