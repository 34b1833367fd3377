"""Two annotators and a reviewer on a project of their own, as the browser tests of annotating have them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.e2e.browser import Watch
from tests.e2e.running import RunningStudio

SEED = """
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from curation.models import Origin, Pair
from curation.services.collection import collection_set
from curation.services.writing import derived, messages_of
from projects.models import Membership, User
from projects.services import project_create
from django.conf import settings
import secrets
mark = secrets.token_hex(4)
people = {name: User.objects.create_user(f"{name}-{mark}@example.org", None, name=name.capitalize()) for name in ("ada", "ben", "rita")}
project = project_create(name=f"Annotation {mark}", by=people["rita"])
for name in ("ada", "ben"):
    Membership.objects.create(project=project, user=people[name], role="annotator")
collection_set(project=project, by=people["rita"], overlap=2, lock_minutes=15, guidelines="# Kind words only", tags=["safety", "parts"])
for number in range(4):
    words = derived(messages_of(f"Question {number} about pumps?", f"Answer {number} as it was suggested."))
    Pair.objects.create(project=project, origin=Origin.IMPORTED, made_by=f"faq.csv, line {number}", responses_left=2, **words)
answer = {"slug": project.slug, "cookie": settings.SESSION_COOKIE_NAME}
for name, user in people.items():
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    answer[name] = session.session_key
"""
STORE = "JOIN curation_pair ON curation_pair.id = curation_response.pair_id JOIN projects_project ON projects_project.id = project_id"


@dataclass
class Story:
    studio: RunningStudio
    slug: str
    ada: Page
    ben: Page
    rita: Page
    watches: list[Watch]

    def url(self, where: str) -> str:
        return f"/p/{self.slug}/{where}"

    def responses(self, person: str) -> list[tuple[Any, ...]]:
        """(question, state, verdict, answer) of each response of ``person``, by question."""
        query = (
            f"SELECT question, state, verdict, curation_response.answer FROM curation_response {STORE} "  # noqa: S608
            "JOIN projects_user ON projects_user.id = user_id WHERE slug = ? AND projects_user.name = ? ORDER BY question"
        )
        return self.studio.rows(query, self.slug, person)

    def seconds(self, person: str) -> int:
        """How long ``person`` looked at the pair of their latest response, as the studio has it."""
        query = (
            f"SELECT seconds FROM curation_response {STORE} "  # noqa: S608
            "JOIN projects_user ON projects_user.id = user_id WHERE slug = ? AND projects_user.name = ? "
            "ORDER BY curation_response.updated_at DESC"
        )
        return int(self.studio.rows(query, self.slug, person)[0][0])


def told(studio: RunningStudio, browser: Browser) -> Iterator[Story]:
    """A project of its own with four pairs, and a window for each of its three people; none of their pages may have complained."""
    made = studio.django(SEED)
    contexts: list[BrowserContext] = []
    pages: dict[str, Page] = {}
    for name in ("ada", "ben", "rita"):
        context = browser.new_context(base_url=studio.url, viewport={"width": 1440, "height": 900})
        context.set_default_timeout(60_000)
        context.add_cookies([{"name": made["cookie"], "value": made[name], "url": studio.url}])
        contexts.append(context)
        pages[name] = context.new_page()
    watches = [Watch(page, studio.url) for page in pages.values()]
    yield Story(studio, made["slug"], **pages, watches=watches)
    for context in contexts:
        context.close()
    assert [problem for watch in watches for problem in watch.problems] == [], "A page complained"


def start(story: Story, page: Page) -> None:
    page.goto(story.url("pairs/annotate/"))
    page.get_by_role("button", name=re.compile("^(Start|Continue)$")).focus()
    page.keyboard.press("Enter")
    ready(page)


def ready(page: Page) -> None:
    """The page is there and its keys work."""
    expect(page.locator("[data-annotate][data-ready]")).to_be_visible()


def at(page: Page, number: int) -> None:
    expect(page.locator("textarea[name=question]")).to_have_value(f"Question {number} about pumps?")
    ready(page)


def saved(page: Page) -> None:
    expect(page.locator("[data-saved]")).to_have_text("Draft saved")
