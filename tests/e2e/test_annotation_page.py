"""What only a browser shows of the annotation page: where the keys lead, what becomes of words when the page or the server goes away,
how long somebody looked; and the keys of the table of pairs. In a project of its own.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.annotating import Story, ready, saved, start, told
from tests.e2e.browser import keys_work, serious, sideways
from tests.e2e.running import RunningStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.demo]

NO_TIMERS = "() => { window.setTimeout = () => 0; }"  # so that nothing is saved because somebody paused
FACES = {"ArrowRight": "→", "ArrowLeft": "←"}
MANY_TAGS = """
from curation.models import Tag
Tag.objects.bulk_create(Tag(project_id=Tag.objects.get(project__slug="{slug}", name="parts").project_id, name=f"kind {{number}}",
    order=number) for number in range(2, 14))
answer = None
"""
MUCH = """
from curation.models import Pair
long = "an_unbroken_name_of_a_column_" * 4
extra = {{long: "word" * 60, "model": "writer-" + "x" * 60, "score": 0.82, "nested": {{"list": [1, 2]}}, "שם": "משאבה אדומה"}}
Pair.objects.filter(project__slug="{slug}", question__startswith="Question 0").update(extra=extra, topic="Pumps")
answer = None
"""


@pytest.fixture(scope="module")
def story(studio: RunningStudio, browser: Browser) -> Iterator[Story]:
    yield from told(studio, browser)


def field(page: Page, name: str) -> str:
    return page.locator(f"textarea[name={name}]").input_value()


def test_q_and_c_write_in_the_question_and_the_comment(story: Story) -> None:
    page = story.ada
    start(story, page)
    page.keyboard.press("q")
    expect(page.locator("textarea[name=question]")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("textarea[name=comment]")).to_be_hidden()
    page.keyboard.press("c")
    expect(page.locator("textarea[name=comment]")).to_be_focused()
    assert (field(page, "question"), field(page, "comment")) == ("Question 0 about pumps?", "")  # the key itself is not typed
    page.keyboard.press("Escape")


def test_the_text_box_grows_with_its_text(story: Story) -> None:
    page, box = story.ada, story.ada.locator("textarea[name=answer]")
    before = box.bounding_box()
    page.keyboard.press("e")
    page.keyboard.press("Control+End")
    for _ in range(12):
        page.keyboard.type("\nA line.")
    after = box.bounding_box()
    assert before and after and after["height"] > before["height"] + 100
    page.locator("[data-suggest=answer]").click()
    saved(page)
    page.keyboard.press("Escape")


def test_keys_are_printed_on_their_buttons_and_gone_on_a_small_screen(story: Story) -> None:
    page = story.ada
    buttons = page.locator("#main [data-key]").all()
    assert {button.get_attribute("data-key") for button in buttons} == {"g", "d", "s", "ArrowRight"}
    for button in buttons:
        key = button.get_attribute("data-key") or ""
        expect(button.locator("kbd")).to_have_text(FACES.get(key, key))
    keys = page.locator("#main :is(.decide, .chip, .page-actions) kbd")
    assert keys.count() == 1 + 4 + 1 + 3 + 2  # submit; buttons; the sheet; verdicts; tags
    assert all(key.is_visible() for key in keys.all())
    page.set_viewport_size({"width": 390, "height": 844})
    assert not any(key.is_visible() for key in keys.all())
    page.set_viewport_size({"width": 1440, "height": 900})


def test_words_are_kept_when_the_page_is_left_before_a_pause(story: Story) -> None:
    page = story.ada
    page.evaluate(NO_TIMERS)
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Left in a hurry.")
    assert story.responses("Ada")[0][3] == "Answer 0 as it was suggested."
    page.goto(story.url("pairs/annotate/"))
    story.studio.wait(lambda: story.responses("Ada")[0][3] == "Left in a hurry.", 20, "The words were not kept")
    start(story, page)
    assert field(page, "answer") == "Left in a hurry."


def test_a_comment_of_the_pair_is_written_below_and_costs_no_words(story: Story) -> None:
    page, area = story.ada, story.ada.locator("#comments textarea")
    page.evaluate(NO_TIMERS)
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Not yet sent.")
    area.focus()
    page.keyboard.type("Is this the red pump, @Be")
    page.keyboard.press("Enter")
    expect(area).to_have_value("Is this the red pump, @Ben ")
    page.keyboard.press("Control+Enter")  # sends nothing from here
    assert story.responses("Ada")[0][1] == "DRAFT"
    page.get_by_role("button", name="Comment", exact=True).click()
    expect(page.locator(".comment")).to_contain_text("Is this the red pump, @Ben")
    ready(page)
    assert field(page, "answer") == "Not yet sent."
    page.keyboard.press("e")
    page.keyboard.press("End")
    page.keyboard.type(" Still not.")
    saved(page)  # and it is not refused as if from another window


def test_while_the_server_is_away_it_says_so_and_tries_again(story: Story) -> None:
    page = story.ada
    story.watches[0].excused = re.compile("ERR_FAILED")
    page.route("**/annotate/draft/", lambda route: route.abort())
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Typed without a server.")
    expect(page.locator("[data-saved]")).to_have_text("Not saved: the studio does not answer. It is tried again.")
    area = page.locator("#comments textarea")
    area.fill("Is anybody there?")
    page.get_by_role("button", name="Comment", exact=True).click()  # the words are not kept: the page stays
    expect(page.locator("[data-saved]")).to_have_text("Not saved: the studio does not answer. It is tried again.")
    assert field(page, "answer") == "Typed without a server."
    assert story.responses("Ada")[0][3] == "Not yet sent. Still not."
    area.fill("")
    page.unroute("**/annotate/draft/")
    saved(page)  # by itself
    assert story.responses("Ada")[0][3] == "Typed without a server."
    page.keyboard.press("Escape")


def test_a_tag_is_found_by_its_name_where_there_are_many(story: Story) -> None:
    story.studio.django(MANY_TAGS.format(slug=story.slug))
    page = story.ada
    page.reload()
    ready(page)
    chips = page.locator(".chip[data-tag]")
    assert chips.count() == 14
    page.keyboard.press("t")
    expect(page.locator("[data-tag-search]")).to_be_focused()
    page.keyboard.type("KIND 13")
    assert [chip.get_attribute("data-tag") for chip in chips.all() if chip.is_visible()] == ["kind 13"]
    page.keyboard.press("Enter")
    expect(page.locator("[data-tag='kind 13'] input")).to_be_checked()
    expect(page.locator("[data-tag-search]")).to_have_value("")
    assert all(chip.is_visible() for chip in chips.all())
    page.keyboard.type("nothing like it")
    expect(page.locator("[data-tag-found]")).to_have_text("No tag has this in its name.")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")  # empties it
    assert all(chip.is_visible() for chip in chips.all())
    page.keyboard.press("Escape")  # leaves it
    saved(page)
    assert page.locator("[data-tag] input:checked").count() == 1
    assert story.responses("Ada")[0][1] == "DRAFT"


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_it_fits_with_all_that_can_be_on_it(story: Story, width: int, scheme: Any) -> None:
    story.studio.django(MUCH.format(slug=story.slug))
    page = story.ada
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{re.split('[?#]', page.url)[0]}?topic=Pumps")
    ready(page)
    expect(page.locator("main")).to_contain_text("Only what matches: Topic is Pumps")
    expect(page.locator("[data-suggested-for=question]")).to_contain_text("score 0.82")
    for fold in page.locator("main details").all():
        fold.evaluate("(fold) => fold.open = true")
    assert sideways(page) == 0
    assert serious(page) == []
    page.set_viewport_size({"width": 1440, "height": 900})


def test_a_reviewer_rejects_by_r_and_the_id_is_copied(story: Story) -> None:
    page = story.rita
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(story.url("pairs/"))
    page.get_by_role("link", name="Question 3 about pumps?").click()
    keys_work(page)
    key = page.url.rstrip("/").split("/")[-1]
    page.get_by_role("button", name="Copy the id").click()
    expect(page.locator(".toasts")).to_contain_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.keyboard.press("r")
    expect(page.locator(".toasts")).to_contain_text("Rejected")
    assert story.studio.rows("SELECT status FROM curation_pair WHERE id = ?", key.replace("-", "")) == [("REJECTED",)]


def test_rows_are_chosen_by_shift_click_and_by_j_k_and_x(story: Story) -> None:
    page = story.rita
    page.goto(story.url("pairs/"))
    keys_work(page)
    boxes = page.locator("#pairs tbody input[name=ids]")

    def chosen() -> list[bool]:
        return [box.is_checked() for box in boxes.all()]

    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    assert chosen() == [True, True, True, False]
    expect(page.locator("[data-bulk-count]")).to_have_text("3")
    page.locator(".page-head h1").click()
    for key in ("j", "j", "x", "j", "j", "x", "k", "x"):
        page.keyboard.press(key)
    assert chosen() == [True, False, False, True]
    expect(page.locator("[data-bulk-count]")).to_have_text("2")


def test_time_counts_only_while_the_page_is_looked_at(story: Story) -> None:
    page = story.ben
    page.clock.install()
    start(story, page)

    def look(state: str) -> None:
        page.evaluate("(state) => Object.defineProperty(document, 'visibilityState', { value: state, configurable: true })", state)

    def kept(text: str) -> int:
        """Type, wait until it is kept; the seconds the studio has from then on."""
        page.keyboard.type(text)
        page.clock.run_for(1_000)
        story.studio.wait(lambda: text in story.responses("Ben")[0][3], 20, "The words were not kept")
        saved(page)
        return story.seconds("Ben")

    page.keyboard.press("e")
    at_first = kept("first ")
    page.clock.run_for(20_000)
    seen = kept("second ") - at_first
    assert 20 <= seen < 40  # the clock runs on by itself while the browser works
    look("hidden")
    page.clock.run_for(300_000)
    look("visible")
    page.clock.run_for(10_000)
    unseen = kept("third ") - at_first - seen
    assert unseen < 60, "Time counted while nobody could see the page"
    before = story.seconds("Ben")
    page.clock.run_for(600_000)  # open, and nobody moves
    assert kept("fourth ") - before <= 90, "Time counted while nobody was there"
