"""A person's way from an empty project to a model that cites, in real Chromium against the real processes.

The tests are the steps of one journey, in order; when one fails, those after it are skipped.
"""

import base64
import hashlib
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from dslm_studio.demo import corpus
from tests.e2e.browser import Watch, drop_files, keys_work, points, sign_in
from tests.e2e.running import RunningStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.demo]

DOCUMENTS = (
    "nonlocal.md", "global.md", "with.md", "try.md", "for.md", "raise.md", "function.md", "calls.md", "exceptions.md", "comparisons.md",
    "customization.md", "context-managers.md",
)  # fmt: skip
NOT_A_PDF = "minutes.pdf"
STEPS = 120
QUICK = {  # of the form's fields: small enough for a test, long enough to be watched, stopped and resumed
    "sft-max_steps": STEPS, "sft-epochs": 50, "sft-batch_size": 4, "sft-max_length": 256,
    "sft-checkpoint_every": 5, "sft-eval_every": 20, "sft-eval_rows": 4, "sft-general_rows": 2,
    "evaluate-answer_rows": 4, "evaluate-max_new_tokens": 24, "evaluate-general_questions": 8, "evaluate-test_rows": 12,
}  # fmt: skip
DRAWN = {  # chart and line → metric
    ("loss", "Training"): "train_loss", ("loss", "Validation"): "eval_loss", ("speed", "That carry loss"): "tokens_per_second",
    ("learning-rate", "Learning rate"): "learning_rate",
}  # fmt: skip
QUESTION = "What does the nonlocal statement do?"
READING, TRAINING, FINISHING = 300_000, 420_000, 600_000  # milliseconds, for a machine that others use as well
CONNECTION_LOST = re.compile(
    r"WebSocket|Failed to load resource|ERR_CONNECTION|net::|Failed to fetch|NetworkError|htmx:(afterRequest|sendError)"
)
LIBRARIES_FORBIDDEN = ("libtorch", "torch_python", "libllama")


@dataclass
class Journey:
    """What one step leaves for the next."""

    studio: RunningStudio
    page: Page
    watch: Watch
    failed_before: int
    slug: str = ""
    run_id: str = ""
    tabs: list[Page] = field(default_factory=list)

    def go(self, where: str) -> None:
        self.page.goto(f"/p/{self.slug}/{where}")

    def one(self, query: str, *values: object) -> Any:
        return self.studio.rows(query, *values)[0][0]

    @property
    def project_id(self) -> Any:
        return self.one("SELECT id FROM projects_project WHERE slug = ?", self.slug)

    def run_hex(self) -> str:
        return self.run_id.replace("-", "")

    def status_of(self, run_id: str) -> str:
        return str(self.one("SELECT status FROM runs_run WHERE id = ?", run_id.replace("-", "")))

    def curve(self, metric: str) -> list[tuple[float, float]]:
        """A metric as the database has it: one value a step, of the latest attempt."""
        query = "SELECT step, value FROM runs_metricpoint WHERE run_id = ? AND metric = ? ORDER BY attempt"
        return sorted(dict(self.studio.rows(query, self.run_hex(), metric)).items())

    def losses(self) -> list[tuple[float, float]]:
        return self.curve("train_loss")


@pytest.fixture(scope="module")
def whole_journey(studio: RunningStudio, browser: Any, request: pytest.FixtureRequest) -> Iterator[Journey]:
    context = browser.new_context(base_url=studio.url, viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(60_000)
    page = context.new_page()
    yield Journey(studio, page, Watch(page, studio.url), request.session.testsfailed)
    context.close()


@pytest.fixture
def journey(whole_journey: Journey, request: pytest.FixtureRequest) -> Iterator[Journey]:
    if request.session.testsfailed > whole_journey.failed_before:
        pytest.skip("An earlier step of the journey failed")
    yield whole_journey
    problems, whole_journey.watch.problems = whole_journey.watch.problems, []
    assert problems == [], "The page complained"


def eventually(true: Callable[[], bool], milliseconds: float, otherwise: str) -> None:
    """For what no locator shows."""
    deadline = time.monotonic() + milliseconds / 1000
    while not true():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.2)


def at_some_moment(journey: Journey) -> None:
    """Wait for anything up to a second, which is more than a step takes; what it was is printed where the test fails."""
    pause = random.uniform(0, 1000)
    print(f"killed after {pause:.0f} ms, at step {len(journey.losses())}")
    journey.page.wait_for_timeout(pause)


def status(page: Page) -> Locator:
    return page.locator("#run-head .status").first


def unfold(page: Page, selector: str) -> None:
    """Open every fold around an element, as a person must before using it."""
    for fold in page.locator("details.fold", has=page.locator(selector)).all():
        if fold.get_attribute("open") is None:
            fold.locator("> summary").click()


def live(page: Page) -> None:
    expect(page.locator("[data-run]")).to_have_attribute("data-live", "yes", timeout=90_000)


def grows(page: Page, beyond: int, milliseconds: float = TRAINING) -> int:
    """Wait until the page draws more training points than ``beyond``, without loading anything again; how many then."""
    page.wait_for_function(
        """(beyond) => {
          const lines = document.querySelector("#loss .chart-plot")?.data || [];
          return lines.some((line) => line.name === "Training" && line.x.length > beyond);
        }""",
        arg=beyond,
        timeout=milliseconds,
    )
    return len(points(page, "loss", "Training"))


def test_a_person_signs_in_by_a_link_that_works_once(journey: Journey) -> None:
    link = journey.studio.sign_in_link()
    sign_in(journey.page, link)
    journey.page.get_by_role("banner").get_by_role("link", name="DSLM Studio").click()
    expect(journey.page.get_by_role("heading", name="Projects", level=1)).to_be_visible()
    stranger = journey.page.context.browser.new_context()  # type: ignore[union-attr]
    second = stranger.new_page()
    second.goto(link)
    expect(second.get_by_role("button", name="Open the studio")).to_have_count(0)
    stranger.close()


def test_a_new_project_begins_with_the_wizard(journey: Journey) -> None:
    page = journey.page
    page.get_by_role("link", name="New project").click()
    page.get_by_label("Name").fill("Statements of Python")
    page.get_by_label("Domain").fill("Python")
    page.get_by_role("button", name="Create project").click()
    page.wait_for_url(re.compile(r"/p/[^/]+/"))
    journey.slug = page.url.split("/p/")[1].split("/")[0]
    page.locator("#rail").get_by_role("link", name="Plan").click()
    expect(page.locator("#recommendation")).to_contain_text("Your plan takes shape here")


def test_the_recommendation_changes_with_the_answers_and_becomes_the_plan(journey: Journey) -> None:
    page = journey.page
    title = page.locator("#recommendation h2").first

    def choose(question: str, answer: str) -> None:
        with page.expect_response(lambda reply: "/plan/" in reply.url):  # each answer changes the picture at once
            page.locator(f"input[name={question}][value={answer}]").check()

    choose("change", "often")
    expect(page.locator("#recommendation")).to_contain_text("1 of 6 answered")
    choose("citations", "yes")
    choose("behaviour", "no")
    choose("learn_from", "none")
    choose("language", "ordinary")
    expect(page.locator("#recommendation")).to_contain_text("5 of 6 answered")
    without_training = title.inner_text()
    assert "RAG" in without_training
    assert "LoRA" not in without_training
    choose("behaviour", "format")
    choose("learn_from", "some")
    choose("hardware", "cpu")
    expect(title).to_contain_text("LoRA")
    expect(page.locator("#recommendation .why").first).not_to_be_empty()
    recommended = title.inner_text()
    page.get_by_role("button", name="Use this plan").click()
    expect(page.get_by_role("heading", name=recommended, level=1)).to_be_visible()


def test_documents_are_read_and_a_bad_one_spoils_nothing(journey: Journey, tmp_path: Path) -> None:
    page = journey.page
    written = {path.name: path.read_bytes() for path in corpus.write(tmp_path / "corpus")}
    chosen = {name: written[name] for name in (*DOCUMENTS, corpus.PDF_NAME)}
    chosen[NOT_A_PDF] = b"These are the minutes of a meeting, and no PDF at all.\n" * 20
    journey.go("documents/")
    files = [{"name": name, "base64": base64.b64encode(content).decode()} for name, content in chosen.items()]
    drop_files(page, ".upload .drop", files)
    refused = page.locator(".upload-list .is-bad")
    expect(page.locator(".upload-list .is-good")).to_have_count(len(chosen) - 1)
    expect(refused).to_have_count(1)
    expect(refused).to_contain_text(NOT_A_PDF)
    expect(refused).to_contain_text("its content is plain text")
    ready = page.locator("td.documents-status", has_text="Ready")
    expect(ready).to_have_count(len(chosen) - 1, timeout=READING)
    expect(page.locator("#documents-results tbody tr")).to_have_count(len(chosen) - 1)


def test_search_finds_the_passage_that_answers(journey: Journey) -> None:
    page = journey.page
    journey.go("search/")
    page.get_by_label("Question").fill(QUESTION)
    page.get_by_role("button", name="Search", exact=True).click()
    first = page.locator(".search-passages > li").first
    expect(first).to_contain_text("nonlocal.md")
    expect(first.locator("mark").first).to_be_visible()
    first.get_by_role("link", name="nonlocal.md").click()
    expect(page.locator(".reader mark").first).to_be_in_viewport()


def test_pairs_are_generated_from_the_documents(journey: Journey) -> None:
    page = journey.page
    journey.go("pairs/")
    page.get_by_role("link", name="Generate pairs").click()
    page.get_by_role("button", name="Generate pairs").click()
    page.wait_for_url("**/runs/**")
    expect(status(page)).to_have_text("Succeeded", timeout=READING)
    journey.go("pairs/")
    expect(page.locator("#pairs tbody tr").first).to_be_visible()
    made = journey.one("SELECT count(*) FROM curation_pair WHERE project_id = ? AND status = 'PENDING'", journey.project_id)
    assert made >= 40
    page.get_by_role("link", name=f"Review {made} pairs").click()


def test_one_pair_is_approved_and_one_edited_by_keyboard(journey: Journey) -> None:
    page = journey.page
    expect(page.locator(".passage mark").first).to_be_visible()
    keys_work(page)
    first = page.url
    page.keyboard.press("a")
    page.wait_for_url(lambda url: url != first and "/pairs/" in url)
    expect(page.locator("#toasts")).to_contain_text("Approved")
    edited = re.search(r"/pairs/([0-9a-f-]{36})/", page.url)
    assert edited is not None
    page.keyboard.press("e")
    answer = page.locator("textarea[name=answer]")
    expect(answer).to_be_focused()
    page.keyboard.press("Escape")
    expect(answer).not_to_be_focused()
    question = page.locator("[name=question]")
    question.fill(question.input_value().rstrip("?") + ", in short?")
    page.keyboard.press("Escape")
    page.keyboard.press("s")
    expect(page.locator("#toasts")).to_contain_text("Saved")
    expect(page.locator("[name=question]")).to_have_value(re.compile(r", in short\?$"))
    page.keyboard.press("a")
    page.wait_for_url(lambda url: edited.group(1) not in url)
    states = journey.studio.rows("SELECT status, edited FROM curation_pair WHERE id = ?", edited.group(1).replace("-", ""))
    assert states == [("APPROVED", 1)]


def test_all_pairs_that_match_are_approved_at_once(journey: Journey) -> None:
    page = journey.page
    journey.go("pairs/")
    page.get_by_label("Any status").select_option("PENDING")
    expect(page.locator("#pairs-results .table-foot")).to_contain_text("that match")
    page.locator("#pairs [data-select-page]").check()
    everything = page.locator("#pairs [data-bulk-everything]")
    if everything.is_visible():
        everything.click()
    page.locator("#pairs-bulk").get_by_role("button", name="Approve").click()
    expect(page.locator("#toasts")).to_contain_text("approved")
    left = journey.one("SELECT count(*) FROM curation_pair WHERE project_id = ? AND status != 'APPROVED'", journey.project_id)
    assert left == 0
    said = journey.studio.rows(
        "SELECT action FROM projects_auditevent WHERE project_id = ? AND action LIKE 'pairs.approve%' AND actor_id IS NOT NULL",
        journey.project_id,
    )
    assert len(said) == 1


def test_a_dataset_version_is_cut(journey: Journey) -> None:
    page = journey.page
    journey.go("datasets/")
    page.get_by_role("button", name="Cut version").click()
    expect(page.get_by_role("heading", name="Dataset version 1", level=1)).to_be_visible()
    assert journey.one("SELECT count(*) FROM curation_datasetversion WHERE project_id = ?", journey.project_id) == 1


def test_training_starts_from_the_form_and_its_curve_grows_without_a_reload(journey: Journey) -> None:
    page = journey.page
    journey.go("runs/")
    page.get_by_role("link", name="Start training").click()
    page.locator("input[name=base_key][value=smollm2-135m-instruct]").check()
    page.locator("input[name=preset][value=quick]").check()
    expect(page.locator("[name=sft-max_steps]")).to_have_value("40")
    for name, value in QUICK.items():
        unfold(page, f"[name='{name}']")
        page.locator(f"[name='{name}']").fill(str(value))
    for name in ("evaluate", "quantize"):
        page.locator(f"input[name={name}]").check()
    expect(page.locator("#preflight")).to_contain_text("Training time")
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url("**/runs/**")
    journey.run_id = page.url.rstrip("/").rpartition("/")[2]
    live(page)
    page.evaluate("window.neverReloaded = true")
    grows(page, grows(page, 0))
    assert page.evaluate("window.neverReloaded") is True
    expect(page.locator("#run-progress")).to_contain_text("steps")
    expect(page.locator("#run-progress [data-progress-left]")).to_contain_text("left")


def test_stop_and_keep_saves_what_was_learnt(journey: Journey) -> None:
    page = journey.page
    page.get_by_role("button", name="Stop and keep").click()
    expect(status(page)).to_have_text("Stopped", timeout=TRAINING)
    expect(page.locator("#run-outputs")).to_contain_text("partial")
    expect(page.locator("#run-events")).to_contain_text("Checkpoint saved")
    assert 0 < len(journey.losses()) < STEPS


def test_it_resumes_from_there_and_a_reload_and_a_second_tab_show_the_whole_curve(journey: Journey) -> None:
    page = journey.page
    before = journey.losses()
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#run-head")).to_contain_text("attempt 2")
    live(page)
    grows(page, len(before))
    page.reload()
    live(page)
    drawn = grows(page, len(before))
    assert drawn > len(before)
    assert dict(before).items() <= dict(journey.losses()).items()
    second = page.context.new_page()
    second.goto(page.url)
    live(second)
    grows(second, drawn)
    journey.tabs = [page, second]


def test_a_killed_web_server_comes_back_and_the_open_page_misses_nothing(journey: Journey) -> None:
    journey.watch.excused = CONNECTION_LOST
    at_some_moment(journey)
    drawn = len(points(journey.page, "loss", "Training"))
    journey.page.evaluate("window.neverReloaded = true")
    journey.studio.kill("web")
    for tab in journey.tabs:
        live(tab)
        grows(tab, drawn)
    assert journey.page.evaluate("window.neverReloaded") is True
    assert journey.status_of(journey.run_id) in ("RUNNING", "SUCCEEDED")


def test_a_killed_worker_is_followed_by_another_that_watches_on(journey: Journey) -> None:
    """The training itself lives on; the points it made meanwhile reach the page once somebody watches again."""
    kept = len(journey.losses())
    journey.studio.kill("worker-gpu")
    eventually(lambda: len(journey.losses()) > kept + 1, 90_000, "Nobody took the training over")
    grows(journey.page, kept)
    assert journey.status_of(journey.run_id) in ("RUNNING", "SUCCEEDED")
    attempts = journey.one("SELECT attempt FROM runs_run WHERE id = ?", journey.run_hex())
    assert attempts == 2  # the one that was resumed by hand before; the kill began no other


def test_a_killed_redis_comes_back_and_the_training_succeeds(journey: Journey) -> None:
    assert journey.status_of(journey.run_id) == "RUNNING", "The training ended before Redis could be killed: it has too few steps"
    at_some_moment(journey)
    journey.studio.kill("redis")
    for tab in journey.tabs:
        expect(status(tab)).to_have_text("Succeeded", timeout=TRAINING)
    journey.watch.excused = None
    attempts = journey.one("SELECT attempt FROM runs_run WHERE id = ?", journey.run_hex())
    assert attempts == 2


def test_every_tab_shows_every_point_once_and_as_the_database_has_it(journey: Journey) -> None:
    assert [step for step, _ in journey.losses()] == list(range(1, STEPS + 1))
    for (chart, series), metric in DRAWN.items():
        kept = journey.curve(metric)
        assert len(kept) >= STEPS // int(QUICK["sft-eval_every"])
        for tab in journey.tabs:
            lacks = f"The tab lacks points of {series}"
            eventually(lambda: len(points(tab, chart, series)) >= len(kept), 20_000, lacks)  # noqa: B023 (called at once)
            drawn = points(tab, chart, series)
            assert [step for step, _ in drawn] == [step for step, _ in kept]
            assert dict(drawn) == pytest.approx(dict(kept))
    journey.tabs.pop().close()


def test_the_pipeline_goes_on_to_merge_quantise_and_evaluate(journey: Journey) -> None:
    """Also after its training was stopped and resumed."""
    page = journey.page
    page.reload()
    steps = page.get_by_role("list", name="Steps of this pipeline").get_by_role("listitem")
    expect(steps).to_have_count(4)
    query = "SELECT stage, status FROM runs_run WHERE project_id = ? AND stage IN ('sft', 'merge', 'quantize', 'evaluate')"

    def ended() -> bool:
        states = dict(journey.studio.rows(query, journey.project_id))
        broken = {stage: state for stage, state in states.items() if state in ("FAILED", "STOPPED", "LOST")}
        assert broken == {}, "Part of the pipeline ended early"
        return set(states.values()) == {"SUCCEEDED"}

    eventually(ended, FINISHING, "The pipeline did not finish")


def test_the_report_shows_base_and_tuned_model_side_by_side(journey: Journey) -> None:
    page = journey.page
    journey.go("evaluate/")
    page.locator("#reports tbody tr").first.get_by_role("link").click()
    figures = page.get_by_role("region", name="Figures")
    for title in ("Loss", "Perplexity", "Token F1", "ROUGE-L", "Loss on general text"):
        row = figures.get_by_role("row", name=re.compile(title, re.IGNORECASE)).first
        expect(row.get_by_role("cell").nth(1)).to_have_text(re.compile(r"\d"))
        expect(row.get_by_role("cell").nth(2)).to_have_text(re.compile(r"\d"))
    expect(page.locator("#answers tbody tr").first).to_be_visible()


def test_the_small_file_can_be_downloaded_whole(journey: Journey) -> None:
    page = journey.page
    journey.go("models/")
    row = page.locator("main table tbody tr", has_text="GGUF").first
    with page.expect_download() as coming:
        row.get_by_role("link", name=re.compile("^Download")).click()
    got = coming.value.path()
    query = "SELECT id, uri FROM runs_artifact WHERE project_id = ? AND kind = 'gguf-model'"
    [(artifact, uri)] = journey.studio.rows(query, journey.project_id)
    [stored] = (journey.studio.home / "artifacts" / uri).glob("*.gguf")
    assert _sha256(got) == _sha256(stored)
    row.get_by_role("link", name="Chat").click()
    expect(page.locator("#id_model")).to_have_value(re.compile(str(artifact)[:8]))
    keys_work(page)


def test_chat_streams_an_answer_with_a_citation_that_opens_its_passage(journey: Journey) -> None:
    page = journey.page
    page.evaluate(
        """() => {
          window.lengths = new Set();
          new MutationObserver(() => {
            const coming = document.querySelector(".is-coming .said-text");
            if (coming?.textContent) window.lengths.add(coming.textContent.length);
          }).observe(document.getElementById("chat-log"), { childList: true, subtree: true, characterData: true });
        }"""
    )
    expect(page.locator("#id_with_documents")).to_be_checked()
    page.locator("#id_question").fill(QUESTION)
    page.keyboard.press("Enter")
    expect(page.locator(".said-user")).to_have_text(QUESTION)
    said = page.locator(".said-assistant[data-message]")
    expect(said.or_(page.locator(".said-failed"))).to_have_count(1, timeout=TRAINING)
    assert page.locator(".said-failed").all_inner_texts() == []
    assert len(page.evaluate("[...window.lengths]")) >= 3, "The answer did not come bit by bit"
    cite = said.locator("[data-cite]").first
    expect(cite).to_contain_text(re.compile(r"\.(md|pdf)"))
    cite.click()
    expect(page.locator(".reader mark").first).to_be_in_viewport()
    assert "nonlocal" in " ".join(page.locator(".reader mark").all_inner_texts())
    page.go_back()
    expect(page.locator(".said-assistant[data-message]")).to_have_count(1)


def test_without_documents_an_answer_cites_nothing(journey: Journey) -> None:
    page = journey.page
    page.locator("#id_with_documents").uncheck()
    page.locator("#id_question").fill("What is a loop?")
    page.get_by_role("button", name="Ask").click()
    said = page.locator(".said-assistant[data-message]")
    expect(said).to_have_count(2, timeout=TRAINING)
    expect(said.last.locator("[data-cite]")).to_have_count(0)
    expect(said.last.locator(".said-text")).not_to_be_empty()


def test_no_machine_learning_library_came_into_the_web_server_or_the_workers(journey: Journey) -> None:
    looked_at = 0
    for name in ("web", "worker-default", "worker-gpu", "scheduler"):
        process = psutil.Process(journey.studio.processes[name].pid)
        for one in [process, *process.children(recursive=True)]:
            if not {"uvicorn", "celery"} & set(" ".join(one.cmdline()).replace("/", " ").split()):
                continue  # an engine, or its shim: a program of its own
            maps = Path(f"/proc/{one.pid}/maps").read_text()
            looked_at += 1
            assert [library for library in LIBRARIES_FORBIDDEN if library in maps] == [], f"{name} ({one.pid})"
    assert looked_at >= 4


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
