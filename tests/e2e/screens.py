"""Pictures of the running studio at STUDIO_HOME.

``python -m tests.e2e.screens [PAGE ...]``: of every page, or of those named, for people to look at, into STUDIO_HOME/screens/.
``python -m tests.e2e.screens --readme``: docs/images/run.png, the run page of the demo's training.
"""

import os
import sqlite3
import sys
import uuid
from contextlib import closing
from pathlib import Path

from tests.e2e.browser import Watch, chromium, sign_in
from tests.e2e.pages import LOOK, PAGES, addresses
from tests.e2e.running import RunningStudio, new_sign_in_link
from tests.materials import ROOT

HOME = Path(os.environ.get("STUDIO_HOME", ROOT / "var"))
SIZES = {"wide": (1440, 900), "narrow": (390, 844)}


def first_training(home: Path) -> str:
    """The address of the run page of the first training that succeeded."""
    query = (
        "SELECT slug, runs_run.id FROM runs_run JOIN projects_project ON projects_project.id = runs_run.project_id "
        "WHERE stage = 'sft' AND status = 'SUCCEEDED' ORDER BY runs_run.created_at LIMIT 1"
    )
    with closing(sqlite3.connect(f"file:{home / 'studio.sqlite3'}?mode=ro", uri=True)) as line:
        found = line.execute(query).fetchone()
    if found is None:
        sys.exit(f"No training has succeeded in {home} yet: run ./studio demo first.")
    return f"/p/{found[0]}/runs/{uuid.UUID(found[1])}/"


def make_readme_picture(home: Path, target: Path) -> None:
    """The run page of a finished training, 1440 pixels wide and light."""
    link, address = new_sign_in_link(home), first_training(home)
    with chromium() as browser:
        context = browser.new_context(base_url=link.split("/sign-in/")[0], viewport={"width": 1440, "height": 1000}, color_scheme="light")
        page = context.new_page()
        sign_in(page, link)
        page.goto(address)
        page.wait_for_load_state("networkidle")
        page.wait_for_function("document.querySelector('.chart-plot .plot-container') && !document.querySelector('.chart-plot .bone')")
        page.wait_for_timeout(500)
        target.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=target)
    print(target)


def main(wanted: list[str]) -> int:
    if wanted == ["--readme"]:
        make_readme_picture(HOME, ROOT / "docs" / "images" / "run.png")
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
