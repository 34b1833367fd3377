"""A team's way from documents to a training run, in real Chromium against the real processes.

An engineer generates and imports, two annotators work from the keyboard on the same pairs, a reviewer resolves what they disagree on, the
quality gate fails, is mended and passes, a version is cut and a training starts from it. The tests are the steps of one journey, in order;
when one fails, those after it are skipped.
"""

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dslm_studio.demo import corpus
from tests.e2e.browser import Watch, drop_files, keys_work, sign_in
from tests.e2e.running import RunningStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.demo]

READING, RUNNING, TRAINING = 300_000, 240_000, 420_000  # milliseconds, for a machine that others use as well
DOCUMENTS = (
    "nonlocal.md",
    "global.md",
    "with.md",
    "try.md",
    "raise.md",
    "comparisons.md",
    "context-managers.md",
    "calls.md",
    "for.md",
    "exceptions.md",
)
TEAM = {"engineer": "Emil", "annotator": "Ada", "second": "Ben", "reviewer": "Rita"}
ASKED = ("What may be returned?", "How long do refunds take?", "Who pays for shipping?")
ANSWERS = (
    "Unused goods in their box, within thirty days.",
    "Five working days after the goods have arrived.",
    "The customer pays, unless the goods were damaged.",
)
CALLERS = ("Alma", "Bruno", "Clara", "Dario", "Elena", "Fritz", "Greta", "Hugo")
BETTER = "The customer pays for sending goods back, unless they arrived damaged."
QUICK = {"sft-max_steps": 4, "sft-epochs": 1, "sft-batch_size": 2, "sft-max_length": 128, "sft-eval_rows": 2, "sft-general_rows": 0}

SETUP = """
from projects.models import Membership, Project, User
from projects.roles import Role
from projects.services import project_create, sign_in_link_create
from django.conf import settings
from django.urls import reverse
from django.utils.crypto import get_random_string
mark = get_random_string(6).lower()
people = {{name: User.objects.create_user(f"{{name.lower()}}-{{mark}}@example.org", None, name=name) for name in {names}}}
project = project_create(name=f"Service desk {{mark}}", domain="Python", by=User.objects.filter(is_superuser=True).first())
roles = dict(zip(people, {roles}))
Membership.objects.bulk_create(Membership(project=project, user=people[name], role=Role(role)) for name, role in roles.items())
links = {{name: reverse("sign_in_link", args=[sign_in_link_create(person)]) for name, person in people.items()}}
answer = {{"slug": project.slug, "links": links}}
"""


@dataclass
class Desk:
    """The project, a window for each of the team, and what one step leaves for the next."""

    studio: RunningStudio
    failed_before: int
    slug: str = ""
    pages: dict[str, Page] = field(default_factory=dict)
    watches: dict[str, Watch] = field(default_factory=dict)

    def go(self, who: str, where: str) -> Page:
        page = self.pages[who]
        page.goto(f"/p/{self.slug}/{where}")
        return page

    def one(self, query: str, *values: object) -> Any:
        """A value of the first row; ``:project`` is the project."""
        project = self.studio.rows("SELECT id FROM projects_project WHERE slug = ?", self.slug)[0][0]
        return self.studio.rows(query.replace(":project", f"'{project}'"), *values)[0][0]

    def statuses(self, tag: str) -> dict[str, str]:
        """Question → status of the pairs with a tag."""
        project = self.studio.rows("SELECT id FROM projects_project WHERE slug = ?", self.slug)[0][0]
        query = (
            "SELECT question, status FROM curation_pair JOIN curation_pairtag ON pair_id = curation_pair.id "
            "JOIN curation_tag ON curation_tag.id = tag_id WHERE curation_pair.project_id = ? AND name = ?"
        )
        return dict(self.studio.rows(query, project, tag))


@pytest.fixture(scope="module")
def whole_desk(studio: RunningStudio, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Desk]:
    desk = Desk(studio, request.session.testsfailed)
    roles = ["engineer", "annotator", "annotator", "reviewer"]
    made = studio.django(SETUP.format(names=list(TEAM.values()), roles=roles))
    desk.slug = made["slug"]
    contexts = []
    for role, name in TEAM.items():
        context = browser.new_context(base_url=studio.url, viewport={"width": 1440, "height": 900}, accept_downloads=True)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        desk.pages[role], desk.watches[role] = page, Watch(page, studio.url)
        sign_in(page, made["links"][name])
    yield desk
    for context in contexts:
        context.close()


@pytest.fixture
def desk(whole_desk: Desk, request: pytest.FixtureRequest) -> Iterator[Desk]:
    if request.session.testsfailed > whole_desk.failed_before:
        pytest.skip("An earlier step of the journey failed")
    yield whole_desk
    problems = [f"{who}: {problem}" for who, watch in whole_desk.watches.items() for problem in watch.problems]
    for watch in whole_desk.watches.values():
        watch.problems = []
    assert problems == [], "A page complained"


def rows_to_import() -> list[dict[str, Any]]:
    """Three to work on, and eight that name a person's address."""
    shop = [
        {"messages": turns(question, answer), "tags": ["check"], "topic": "returns"}
        for question, answer in zip(ASKED, ANSWERS, strict=True)
    ]
    contacts = [
        {
            "messages": turns(f"Whom do I ask about case {number}?", f"Write to {name.lower()}.miller@example-mail.com."),
            "tags": ["contacts"],
        }
        for number, name in enumerate(CALLERS, start=4711)
    ]
    return shop + contacts


def turns(question: str, answer: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


def ended(page: Page, milliseconds: float = RUNNING) -> None:
    expect(page.locator("#run-head .status").first).to_have_text("Succeeded", timeout=milliseconds)


def test_the_engineer_generates_pairs_from_documents(desk: Desk, tmp_path: Path) -> None:
    written = {path.name: path.read_bytes() for path in corpus.write(tmp_path / "corpus")}
    page = desk.go("engineer", "documents/")
    drop_files(page, ".upload .drop", [{"name": name, "base64": base64.b64encode(written[name]).decode()} for name in DOCUMENTS])
    expect(page.locator("td.documents-status", has_text="Ready")).to_have_count(len(DOCUMENTS), timeout=READING)
    page = desk.go("engineer", "pairs/generate/")
    page.get_by_role("button", name="Generate pairs").click()
    page.wait_for_url("**/runs/**")
    ended(page)
    assert desk.one("SELECT count(*) FROM curation_pair WHERE project_id = :project AND origin = 'generated'") >= 20


def test_the_reviewer_asks_for_two_responses_a_pair(desk: Desk) -> None:
    page = desk.go("reviewer", "pairs/team/settings/")
    page.get_by_label("Responses a pair").fill("2")
    page.get_by_label("Guidelines").fill("**Short answers.** Say who pays.")
    page.get_by_role("button", name="Save settings").click()
    expect(page.locator("#main")).to_contain_text("2 responses wanted")


def test_the_engineer_imports_a_file_and_hears_of_its_bad_line(desk: Desk) -> None:
    lines = [*(json.dumps(row) for row in rows_to_import()), '{"messages": [{"role": "user", "content": "Half a row']
    file = {"name": "desk.jsonl", "base64": base64.b64encode("\n".join(lines).encode()).decode()}
    page = desk.go("engineer", "pairs/imports/")
    drop_files(page, ".upload .drop", [file])
    page.wait_for_url(re.compile(r"/imports/[0-9a-f-]{36}/"))
    expect(page.locator("#import-look")).to_contain_text(ASKED[0])
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#run-head")).to_contain_text("11 pairs are in the table", timeout=RUNNING)
    expect(page.locator("#run-head")).to_contain_text("1 row is left out")
    assert set(desk.statuses("check").values()) == {"PENDING"} and len(desk.statuses("contacts")) == len(CALLERS)


def test_the_reviewer_assigns_the_imported_pairs_to_two_people(desk: Desk) -> None:
    page = desk.go("reviewer", "pairs/team/")
    page.get_by_role("button", name="Assign").first.click()
    dialog = page.locator("dialog#assign")
    for name in (TEAM["annotator"], TEAM["second"]):
        dialog.get_by_label(name).check()
    option = dialog.locator("select[name=what] option", has_text="check").first
    dialog.locator("select[name=what]").select_option(str(option.get_attribute("value")))
    dialog.get_by_role("button", name="Assign").click()
    expect(page.get_by_role("row", name=re.compile(TEAM["second"]))).to_contain_text("check")


def begin(page: Page) -> None:
    """To the first pair of one's queue, without the mouse."""
    page.get_by_role("button", name="Start").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/pairs/[0-9a-f-]{36}/annotate/"))


def answer_by_keyboard(page: Page, verdict: str, answer: str = "") -> str:
    """Say what one thinks of the pair on the page and submit it; its question."""
    before, question = page.url, page.locator("[name=question]").input_value()
    page.keyboard.press(verdict)
    if answer:
        page.keyboard.press("e")
        page.keyboard.press("Control+a")
        page.keyboard.type(answer)
    page.keyboard.press("Control+Enter")
    page.wait_for_url(lambda url: url != before)
    return question


def test_two_annotators_answer_the_same_pairs_from_the_keyboard(desk: Desk) -> None:
    ada, ben = desk.go("annotator", "pairs/annotate/"), desk.go("second", "pairs/annotate/")
    begin(ada)
    begin(ben)
    ada.keyboard.press("g")
    expect(ada.locator("dialog#guidelines")).to_contain_text("Say who pays.")
    ada.keyboard.press("g")
    seen = []
    for _ in ASKED:
        shipping = ada.locator("[name=question]").input_value() == ASKED[2]
        seen.append(answer_by_keyboard(ada, "y", BETTER if shipping else ""))
        answer_by_keyboard(ben, "n" if ben.locator("[name=question]").input_value() == ASKED[2] else "y")
    assert sorted(seen) == sorted(ASKED)
    for page in (ada, ben):
        expect(page.get_by_role("heading", name="Annotate", level=1)).to_be_visible()
    submitted = (
        "SELECT count(*) FROM curation_response r JOIN curation_pair p ON p.id = r.pair_id WHERE p.project_id = :project AND state = ?"
    )
    assert desk.one(submitted, "SUBMITTED") == 6
    assert desk.one("SELECT count(*) FROM curation_pair WHERE project_id = :project AND collected > 2") == 0


def test_the_reviewer_resolves_what_they_disagree_on(desk: Desk) -> None:
    page = desk.go("reviewer", "pairs/collected/?which=disputed")
    page.get_by_role("link", name=ASKED[2]).click()
    expect(page.get_by_role("heading", name="Resolve a disagreement")).to_be_visible()
    expect(page.locator("ins").first).to_be_visible()
    keys_work(page)
    adas = page.locator("article", has_text=TEAM["annotator"]).get_by_role("button", name="Take")
    page.keyboard.press(str(adas.get_attribute("data-key")))
    expect(page.locator("#toasts")).to_contain_text("Approved")
    assert desk.statuses("check")[ASKED[2]] == "APPROVED"
    assert desk.one("SELECT answer FROM curation_pair WHERE project_id = :project AND question = ?", ASKED[2]) == BETTER
    page = desk.go("reviewer", "pairs/collected/")
    page.get_by_role("button", name="Decide the agreed").click()
    page.locator("dialog[open]").get_by_role("button", name="Decide").click()
    expect(page.locator("#toasts")).to_contain_text("approved")
    assert set(desk.statuses("check").values()) == {"APPROVED"}


def test_the_reviewer_approves_the_rest_at_once(desk: Desk) -> None:
    page = desk.go("reviewer", "pairs/?status=PENDING")
    page.locator("#pairs [data-select-page]").check()
    everything = page.locator("#pairs [data-bulk-everything]")
    if everything.is_visible():
        everything.click()
    page.locator("#pairs-bulk").get_by_role("button", name="Approve").click()
    expect(page.locator("#toasts")).to_contain_text("approved")
    assert desk.one("SELECT count(*) FROM curation_pair WHERE project_id = :project AND status != 'APPROVED'") == 0


def look(desk: Desk) -> str:
    """Let the gate look at the pairs from the page that cuts versions; its verdict."""
    reports = "FROM curation_qualityreport r JOIN runs_artifact a ON a.id = r.artifact_id WHERE r.project_id = :project AND a.ready"
    before = desk.one(f"SELECT count(*) {reports}")
    page = desk.go("engineer", "datasets/")
    page.get_by_role("button", name="Run the gate").click()
    page.wait_for_url("**/quality/")
    desk.studio.wait(lambda: desk.one(f"SELECT count(*) {reports}") > before, RUNNING / 1000, "The gate did not report")
    return str(desk.one(f"SELECT verdict {reports} ORDER BY r.created_at DESC LIMIT 1"))


def test_the_quality_gate_fails_and_forbids_the_cut(desk: Desk) -> None:
    assert look(desk) == "fail"
    page = desk.go("engineer", "datasets/")
    expect(page.locator("#main")).to_contain_text("The quality gate failed")
    desk.watches["engineer"].excused = re.compile("status of 422")  # the refusal, which the browser notes
    page.get_by_role("button", name="Cut version").click()
    expect(page.get_by_role("alert")).to_contain_text("ask an owner")
    desk.watches["engineer"].excused = None
    assert desk.one("SELECT count(*) FROM curation_datasetversion WHERE project_id = :project") == 0


def test_the_reviewer_mends_what_it_found_at_a_press(desk: Desk) -> None:
    page = desk.go("reviewer", "quality/")
    report = desk.one("SELECT report FROM curation_qualityreport WHERE project_id = :project ORDER BY created_at DESC LIMIT 1")
    keys = [check["key"] for check in json.loads(report)["checks"] if check["verdict"] == "fail"]
    assert "personal" in keys
    for key in keys:
        page.locator(f"#check-{key} form button").first.click()
        page.locator("dialog[open] [data-confirm-yes]").click()
        expect(page.locator("#toasts")).to_contain_text("Check again")
    assert set(desk.statuses("contacts").values()) == {"REJECTED"}


def test_the_gate_passes_and_a_version_is_cut(desk: Desk) -> None:
    assert look(desk) in ("pass", "warn")
    page = desk.go("engineer", "datasets/")
    page.get_by_role("button", name="Cut version").click()
    expect(page.get_by_role("heading", name="Dataset version 1", level=1)).to_be_visible()
    expect(page.locator("#main")).to_contain_text("Passed")
    files = (
        Path(desk.studio.home)
        / "artifacts"
        / desk.one("SELECT uri FROM runs_artifact a JOIN curation_datasetversion v ON v.artifact_id = a.id WHERE v.project_id = :project")
    )
    rows = [
        json.loads(line) for split in ("train", "validation", "test") for line in (files / f"{split}.jsonl").read_text("utf-8").splitlines()
    ]
    words = {row["messages"][0]["content"]: row["messages"][-1]["content"] for row in rows}
    assert {question: words.get(question) for question in ASKED} == dict(zip(ASKED, (*ANSWERS[:2], BETTER), strict=True))
    assert not any("example-mail.com" in answer for answer in words.values())


def test_a_training_starts_from_the_version(desk: Desk) -> None:
    page = desk.go("engineer", "datasets/1/")
    page.get_by_role("link", name="Start training from it").click()
    chosen = page.locator("[name=dataset] option:checked")
    expect(chosen).to_contain_text("Version 1")
    page.locator("input[name=base_key][value=smollm2-135m-instruct]").check()
    page.locator("input[name=preset][value=quick]").check()
    expect(page.locator("[name=sft-max_steps]")).to_have_value("40")
    for name in ("evaluate", "quantize"):
        page.locator(f"input[name={name}]").uncheck()
    for name, value in QUICK.items():
        for fold in page.locator("details.fold", has=page.locator(f"[name='{name}']")).all():
            if fold.get_attribute("open") is None:
                fold.locator("> summary").click()
        page.locator(f"[name='{name}']").fill(str(value))
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/runs/**")
    ended(page, TRAINING)
    query = (
        "SELECT count(*) FROM runs_runinput i JOIN runs_run r ON r.id = i.run_id "
        "JOIN curation_datasetversion v ON v.artifact_id = i.artifact_id "
        "WHERE r.stage = 'sft' AND r.status = 'SUCCEEDED' AND v.project_id = :project"
    )
    assert desk.one(query) == 1
