"""Annotating by the keyboard alone, in real Chromium: two annotators with overlap, then a reviewer who resolves their disagreement.

The tests are the steps of one story, in order; they bring a project of their own.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.annotating import Story, at, ready, saved, start, told
from tests.e2e.browser import keys_work, serious, sideways
from tests.e2e.running import RunningStudio

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.demo]


@pytest.fixture(scope="module")
def story(studio: RunningStudio, browser: Browser) -> Iterator[Story]:
    yield from told(studio, browser)


def question(page: Page) -> str:
    return page.locator("textarea[name=question]").input_value()


def test_what_is_typed_is_kept_as_it_is_typed_and_survives_a_reload(story: Story) -> None:
    page = story.ada
    start(story, page)
    expect(page.locator("[data-suggested-for=answer]")).to_have_text("Suggested, imported from faq.csv, line 0")
    page.keyboard.press("e")
    expect(page.locator("textarea[name=answer]")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("Yes: 1 nut, 2 dry seals, zany as unusual.")  # y, n, u, 1, 2, d, s, z are text here
    saved(page)
    assert page.locator("input[name=verdict]:checked").count() == 0
    assert page.locator("input[name=tags]:checked").count() == 0
    page.keyboard.press("Escape")
    page.reload()
    ready(page)
    expect(page.locator("textarea[name=answer]")).to_have_value("Yes: 1 nut, 2 dry seals, zany as unusual.")
    expect(page.locator("[data-suggest=answer]")).to_be_visible()
    page.locator("[data-suggest=answer]").click()
    expect(page.locator("textarea[name=answer]")).to_have_value("Answer 0 as it was suggested.")
    page.keyboard.press("Escape")


def test_tags_verdict_and_sheets_are_one_key_away(story: Story) -> None:
    page = story.ada
    page.keyboard.press("2")
    expect(page.locator("[data-tag-key='2']")).to_be_checked()
    page.keyboard.press("2")
    expect(page.locator("[data-tag-key='2']")).not_to_be_checked()
    page.keyboard.press("1")
    page.keyboard.press("y")
    expect(page.locator("input[name=verdict][value=good]")).to_be_checked()
    page.keyboard.press("g")
    expect(page.locator("#guidelines")).to_contain_text("Kind words only")
    page.keyboard.press("d")  # behind a dialog no key does anything
    page.keyboard.press("g")
    expect(page.locator("#guidelines")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_contain_text("Keys on this page")
    page.keyboard.press("Escape")
    assert question(page) == "Question 0 about pumps?"


def test_ctrl_enter_submits_from_inside_a_field_and_undo_brings_it_back(story: Story) -> None:
    page = story.ada
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("As Ada has it.")
    page.keyboard.press("Control+Enter")  # before the draft is saved: nothing may be lost
    at(page, 1)
    assert story.responses("Ada")[0] == ("Question 0 about pumps?", "SUBMITTED", "good", "As Ada has it.")
    page.keyboard.press("z")
    at(page, 0)
    expect(page.locator("textarea[name=answer]")).to_have_value("As Ada has it.")
    expect(page.locator("[data-tag-key='1']")).to_be_checked()
    page.keyboard.press("Control+Enter")
    at(page, 1)


def test_a_missing_verdict_is_said_and_nothing_typed_is_lost(story: Story) -> None:
    page = story.ada
    story.watches[0].excused = re.compile("status of 422")
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("Second answer.")
    page.keyboard.press("Control+Enter")
    expect(page.locator("main")).to_contain_text("Say whether the pair is good to train on")
    ready(page)
    expect(page.locator("textarea[name=answer]")).to_have_value("Second answer.")


def test_skip_next_back_and_discard_have_their_keys(story: Story) -> None:
    page = story.ada
    page.locator(".page-head h1").click()
    page.keyboard.press("s")
    at(page, 2)
    page.keyboard.press("ArrowRight")
    at(page, 3)
    page.keyboard.press("ArrowLeft")
    at(page, 2)
    page.keyboard.press("d")
    at(page, 3)
    page.keyboard.press("d")
    expect(page.locator(".toasts")).to_contain_text("Nothing is left in your queue")
    states = {text: state for text, state, *_ in story.responses("Ada")}
    assert [states[f"Question {number} about pumps?"] for number in range(4)] == ["SUBMITTED", "SKIPPED", "DISCARDED", "DISCARDED"]


def test_a_second_annotator_answers_the_same_pair(story: Story) -> None:
    page = story.ben
    start(story, page)
    at(page, 0)  # what others began comes first
    page.keyboard.press("e")
    page.keyboard.press("Control+a")
    page.keyboard.type("As Ben has it.")
    page.keyboard.press("Escape")
    page.keyboard.press("y")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".toasts")).to_contain_text("Submitted")
    assert story.responses("Ben")[0][1:] == ("SUBMITTED", "good", "As Ben has it.")


def test_the_reviewer_sees_the_differing_words_and_takes_one_by_its_key(story: Story) -> None:
    page = story.rita
    page.goto(story.url("pairs/collected/?which=disputed"))
    page.get_by_role("link", name="Question 0 about pumps?").click()
    expect(page.locator(".sides del")).to_have_text("Ada")
    expect(page.locator(".sides ins")).to_have_text("Ben")
    keys_work(page)
    page.keyboard.press("2")
    expect(page.locator(".toasts")).to_contain_text("Approved as Ben has it")
    query = (
        "SELECT curation_pair.answer, status FROM curation_pair JOIN projects_project ON projects_project.id = project_id "
        "WHERE slug = ? AND question = ?"
    )
    assert story.studio.rows(query, story.slug, "Question 0 about pumps?") == [("As Ben has it.", "APPROVED")]


def test_a_comment_offers_the_members_and_reaches_the_one_it_names(story: Story) -> None:
    page = story.rita
    page.goto(story.url("pairs/"))
    page.get_by_role("link", name="Question 0 about pumps?").click()
    area = page.locator("#comments textarea")
    area.focus()
    keys_work(page)
    page.keyboard.type("Well done, @Be")
    expect(page.get_by_role("option", name="Ben")).to_be_visible()
    page.keyboard.press("Enter")
    expect(area).to_have_value("Well done, @Ben ")
    page.get_by_role("button", name="Comment", exact=True).press("Enter")
    expect(page.locator(".comment")).to_contain_text("Well done, @Ben")
    story.ben.goto(story.url("pairs/mentions/"))
    expect(story.ben.locator(".mentions")).to_contain_text("Unread")


@pytest.mark.parametrize("where", ["pairs/annotate/", "pairs/collected/", "pairs/team/", "pairs/team/settings/", "pairs/mentions/"])
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_the_pages_are_accessible_and_fit(story: Story, where: str, width: int, scheme: Any) -> None:
    page = story.rita
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.goto(story.url(where))
    page.wait_for_load_state("networkidle")
    assert sideways(page) == 0
    assert serious(page) == []


@pytest.mark.parametrize(("width", "scheme"), [(1440, "dark"), (390, "light")])
def test_the_focus_page_is_accessible_and_fits(story: Story, width: int, scheme: Any) -> None:
    page = story.rita
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.goto(story.url("pairs/annotate/"))
    page.get_by_role("button", name="Continue").or_(page.get_by_role("button", name="Start")).click()
    ready(page)
    assert sideways(page) == 0
    assert serious(page) == []
