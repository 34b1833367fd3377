"""No page is forgotten: whatever answers GET with a whole page is among the pages that browsers open."""

from django.urls import resolve

from tests.e2e.pages import ANYTHING, NO_PAGES, PAGES, SIGNED_OUT, addresses
from tests.test_access import ROWS

ANSWER_GET = {name for _, name, method in ROWS if method == "GET"}


def opened() -> set[str]:
    """The names of the addresses of all pages in the lists."""
    made = addresses(PAGES | SIGNED_OUT, ANYTHING)
    return {resolve(path.split("?")[0]).view_name for path in made.values()}


def test_every_address_with_a_page_is_opened_or_says_why_not() -> None:
    excused = {name for names in NO_PAGES.values() for name in names.split()}
    assert ANSWER_GET - opened() - excused == set(), "Add these to PAGES or, with the reason, to NO_PAGES"
    assert excused - ANSWER_GET == set(), "These are no addresses that answer GET"
    assert excused & opened() == set(), "These are in both lists"


def test_a_page_for_which_there_is_nothing_is_left_out() -> None:
    assert addresses({"a": "/p/{slug}/", "b": "/p/{slug}/{pair}/"}, {"slug": "x"}) == {"a": "/p/x/"}
