"""The pages of responses: the list, side by side, taking one, sending back, two reviewers at once, taking changes back, comments."""

import pytest
from django.urls import reverse

from curation.models import Comment, Pair, PairChange, PairStatus
from curation.services import pair_edit
from curation.services.commenting import comment_create
from curation.services.reviewing import pair_adjudicate
from tests.curation.test_reviewing import disputed, two  # noqa: F401 (fixtures)

pytestmark = pytest.mark.django_db


@pytest.fixture
def to(project):
    return lambda name, *args: reverse(f"curation:{name}", args=[project.slug, *args])


def form_of(pair, **changes):
    words = {"question": pair.question, "answer": pair.answer, "system": "", "note": ""}
    return {**words, "revision": pair.revision, "status": pair.status, **changes}


def named(response):
    return f"{response.pk}:{response.revision}"


def test_the_list_tells_what_is_disputed_and_what_each_said(client_for, reviewer, to, disputed):  # noqa: F811
    page = client_for(reviewer).get(to("collected"), {"which": "disputed"}).content.decode()
    assert "Disputed" in page and "Ada: good." in page and "Ben: good." in page
    assert "Nothing here" in client_for(reviewer).get(to("collected"), {"which": "agreed"}).content.decode()
    assert client_for(reviewer).get(to("collected"), {"which": "nonsense"}).status_code == 200


def test_two_responses_stand_side_by_side_with_the_differing_words_marked(client_for, reviewer, to, disputed):  # noqa: F811
    pair, ada, ben = disputed
    page = client_for(reviewer).get(to("responses", pair.pk)).content.decode()
    assert "As <del>Ada</del> has it." in page and "As <ins>Ben</ins> has it." in page
    assert named(ada) in page and named(ben) in page and "Pumps" in page


def test_taking_a_response_approves_it_and_goes_on(client_for, reviewer, to, disputed):  # noqa: F811
    pair, _, ben = disputed
    reply = client_for(reviewer).post(to("responses", pair.pk), form_of(pair, take=named(ben)))
    assert reply.url == to("collected")
    assert Pair.objects.values_list("answer", "status").get() == ("As Ben has it.", PairStatus.APPROVED)


def test_a_response_can_be_edited_and_approved(client_for, reviewer, to, disputed):  # noqa: F811
    pair, ada, _ = disputed
    page = client_for(reviewer).get(to("responses", pair.pk), {"edit": ada.pk})
    assert page.context["form"]["answer"].value() == "As Ada has it."
    client_for(reviewer).post(to("responses", pair.pk), form_of(pair, action="approve", response=named(ada), answer="As we have it."))
    now = Pair.objects.get()
    assert (now.answer, now.topic, now.status) == ("As we have it.", "Pumps", PairStatus.APPROVED)


def test_sending_back_needs_a_comment_and_rewrites_nothing(client_for, reviewer, to, disputed):  # noqa: F811
    pair, ada, _ = disputed
    client = client_for(reviewer)
    form = form_of(pair, action="changes", response=named(ada), answer="As Ada has it.")
    reply = client.post(to("responses", pair.pk), form)
    assert reply.status_code == 422 and "Say what should change" in reply.content.decode()
    assert client.post(to("responses", pair.pk), {**form, "note": "Cite the page."}).status_code == 302
    now = Pair.objects.get()
    assert (now.status, now.note, now.answer, now.collected) == (PairStatus.CHANGES, "Cite the page.", "As it was.", 0)


def test_the_second_reviewer_sees_what_changed_and_loses_nothing(client_for, owner, reviewer, to, disputed):  # noqa: F811
    pair, ada, ben = disputed
    pair_adjudicate(pair=Pair.objects.get(), by=owner, response=ada)
    client = client_for(reviewer)
    reply = client.post(to("responses", pair.pk), form_of(pair, action="approve", response=named(ben), answer="My careful words."))
    page = reply.content.decode()
    assert reply.status_code == 422 and "Somebody else changed this pair" in page and "My careful words." in page
    assert "data-history open" in page and "<ins>Ada has" in page  # what the first one did
    again = {name: reply.context["form"][name].value() for name in ("question", "answer", "revision", "status")}
    assert client.post(to("responses", pair.pk), {**again, "action": "approve", "response": named(ben)}).status_code == 302
    assert Pair.objects.get().answer == "My careful words."


def test_a_response_that_is_gone_is_said_to_be(client_for, reviewer, to, disputed):  # noqa: F811
    pair, _, ben = disputed
    ben.delete()
    reply = client_for(reviewer).post(to("responses", pair.pk), form_of(pair, take="nonsense"))
    assert reply.status_code == 404 or "no longer there" in reply.content.decode()
    assert client_for(reviewer).post(to("responses", pair.pk), form_of(pair, action="burn")).status_code == 404


def test_any_change_can_be_taken_back_from_the_history(client_for, reviewer, to, make_pair):
    pair = make_pair("What?", "One.")
    pair_edit(pair=pair, by=reviewer, question="What?", answer="Two.", reviewer=True)
    pair_edit(pair=pair, by=reviewer, question="Which?", answer="Two.", reviewer=True)
    client = client_for(reviewer)
    first, last = PairChange.objects.order_by("pk")
    page = client.get(to("pair", pair.pk)).content.decode()
    shown = [f'name="change" value="{one.pk}"' in page for one in (first, last)]
    assert shown == [False, True]
    assert "changed again since" in client.post(to("pair_undo", pair.pk), {"change": first.pk}, follow=True).content.decode()
    for change in (last, first):
        client.post(to("pair_undo", pair.pk), {"change": change.pk})
    assert Pair.objects.values_list("question", "answer").get() == ("What?", "One.")


def test_a_comment_is_shown_and_offers_the_members_by_name(client_for, annotator, viewer, to, make_pair):
    pair = make_pair("What?")
    client = client_for(annotator)
    assert client.post(to("pair_comment", pair.pk), {"text": "<b>Too long</b> @Olivia"}).url == f"{to('pair', pair.pk)}#comments"
    page = client.get(to("pair", pair.pk)).content.decode()
    assert "&lt;b&gt;Too long&lt;/b&gt; @Olivia" in page and '"Olivia"' in page and "data-mentions" in page
    assert client.post(to("pair_comment", pair.pk), {"text": " "}).status_code == 422
    assert "data-mentions" not in client_for(viewer).get(to("pair", pair.pk)).content.decode()
    assert Comment.objects.count() == 1


def test_mentions_are_counted_until_their_pair_is_opened(client_for, owner, annotator, to, make_pair):
    pair = make_pair("What?")
    comment_create(pair=pair, by=owner, text="@Annotator, is this right?")
    client = client_for(annotator)
    page = client.get(to("mentions")).content.decode()
    assert "Unread" in page and "is this right?" in page
    assert 'Mentions <span class="count">1</span>' in page
    client.get(to("pair", pair.pk))
    assert "Unread" not in client.get(to("mentions")).content.decode()
    assert "Nobody has named you yet" in client_for(owner).get(to("mentions")).content.decode()


def test_what_all_agree_on_is_decided_by_one_press(client_for, reviewer, to, disputed):  # noqa: F811
    reply = client_for(reviewer).post(to("approve_agreed"), follow=True)
    assert "There is nothing that all agree on" in reply.content.decode()
    assert Pair.objects.get().status == PairStatus.PENDING
