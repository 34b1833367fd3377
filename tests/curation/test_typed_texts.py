"""Texts on their way through the pages: what nobody changed stays to the letter, and what is too long is said at its field."""

import re

import pytest
from django.urls import reverse

from curation.models import Pair, PairChange, PairStatus, Response
from curation.services.collecting import response_begin
from curation.services.writing import derived
from engine.lib.pair_rows import TURN_LIMIT

pytestmark = pytest.mark.django_db

CONVERSATIONS = {
    "one line end": [("user", "One.\nTwo."), ("assistant", "Three.\n\nFour.")],
    "from a file": [("user", " One.\r\nTwo.\n"), ("assistant", "Three.\rFour.\r\n")],
    "several turns": [
        ("system", "Be\r\nbrief.\n"), ("user", "One.\r\nTwo."), ("assistant", "Which?\r\n\r\nSay."), ("system", "Now\nlong."),
        ("user", " That.\n"), ("assistant", "Three.\nFour."),
    ],
}  # fmt: skip
TOO_LONG = "x" * (TURN_LIMIT + 1)


@pytest.fixture
def to(project):
    return lambda name, *args: reverse(f"curation:{name}", args=[project.slug, *args])


@pytest.fixture(params=CONVERSATIONS)
def pair(request, make_pair):
    """A pair with line ends of every kind, also in its rejected answer."""
    messages = [{"role": role, "content": text} for role, text in CONVERSATIONS[request.param]]
    worse = [{"role": "assistant", "content": "Worse,\r\nby far.\n"}]
    made = make_pair("x")
    Pair.objects.filter(pk=made.pk).update(**derived(messages), rejected=worse, fork=len(messages) - 1)
    made.refresh_from_db()
    return made


def sent(*forms, **changes):
    """What a browser sends of ``forms`` as their page shows them: every line end as CR LF."""
    data = {}
    for form in forms:
        data |= {name: form[name].value() for name in form.fields}
    turns = data.pop("turns", [])
    data |= {"turns_role": [turn["role"] for turn in turns], "turns_text": [turn["content"] for turn in turns], **changes}
    lines = {name: re.sub(r"\r\n?|\n", "\r\n", value) if isinstance(value, str) else value for name, value in data.items()}
    lines["turns_text"] = [re.sub(r"\r\n?|\n", "\r\n", text) for text in lines["turns_text"]]
    return {name: value for name, value in lines.items() if value is not None}


def page_of(client, url):
    """What is sent from the page of a pair."""
    context = client.get(url).context
    return sent(context["form"], context["facts"])


def as_it_was(pair):
    now = Pair.objects.get(pk=pair.pk)
    return (now.messages, now.rejected, now.fork, now.edited) == (pair.messages, pair.rejected, pair.fork, False)


def test_deciding_on_the_page_of_a_pair_rewrites_nothing(client_for, reviewer, to, pair):
    client = client_for(reviewer)
    data = page_of(client, to("pair", pair.pk))
    assert "\r\n" in data["question"] and client.post(to("pair_decide", pair.pk), {**data, "action": "approve"}).status_code == 302
    assert as_it_was(pair) and Pair.objects.get().status == PairStatus.APPROVED
    assert PairChange.objects.get().after == {"status": "APPROVED"}


def test_labels_of_an_annotator_leave_an_approval_alone(client_for, annotator, to, pair):
    Pair.objects.update(status=PairStatus.APPROVED)
    client = client_for(annotator)
    client.post(to("pair_edit", pair.pk), {**page_of(client, to("pair", pair.pk)), "topic": "Pumps"})
    now = Pair.objects.get()
    assert as_it_was(pair) and (now.status, now.topic) == (PairStatus.APPROVED, "Pumps")


def test_annotating_and_taking_the_response_rewrites_nothing(client_for, annotator, reviewer, to, pair):
    mine = response_begin(pair=pair, by=annotator)
    client, address = client_for(annotator), to("annotate_pair", pair.pk)
    client.post(to("annotate_draft", pair.pk), sent(client.get(address).context["form"], comment="Two\nlines"))
    data = sent(client.get(address).context["form"], verdict="good")
    assert client.post(to("annotate_send", pair.pk), {**data, "action": "submit"}).status_code == 302
    mine.refresh_from_db()
    assert (mine.messages, mine.comment, mine.state) == (pair.messages, "Two\nlines", "SUBMITTED")
    client = client_for(reviewer)
    data = sent(client.get(to("responses", pair.pk)).context["form"], take=f"{mine.pk}:{mine.revision}")
    assert client.post(to("responses", pair.pk), data).status_code == 302
    assert as_it_was(pair) and Pair.objects.get().status == PairStatus.APPROVED


def test_approving_the_words_of_a_response_rewrites_nothing(client_for, annotator, reviewer, to, pair):
    mine = response_begin(pair=pair, by=annotator)
    Response.objects.update(state="SUBMITTED", verdict="good")
    client = client_for(reviewer)
    data = sent(client.get(to("responses", pair.pk)).context["form"], action="approve", response=f"{mine.pk}:{mine.revision}")
    assert client.post(to("responses", pair.pk), data).status_code == 302
    assert as_it_was(pair) and Pair.objects.get().status == PairStatus.APPROVED


def test_what_was_changed_is_kept_with_line_ends_of_one_kind(client_for, annotator, reviewer, to, make_pair):
    pair, other = make_pair("What?"), make_pair("Which?")
    client = client_for(reviewer)
    data = page_of(client, to("pair", pair.pk)) | {"answer": "a\r\nb", "rejected": "c\r\nd", "action": "approve"}
    client.post(to("pair_decide", pair.pk), data | {"turns_role": ["assistant", "user"], "turns_text": ["e\r\nf", "g\rh"]})
    pair.refresh_from_db()
    assert [turn["content"] for turn in [*pair.messages, *pair.rejected]] == ["What?", "e\nf", "g\nh", "a\nb", "c\nd"]
    mine = response_begin(pair=other, by=annotator)
    Response.objects.update(state="SUBMITTED", verdict="good")
    changes = {"action": "approve", "response": f"{mine.pk}:{mine.revision}", "answer": "a\r\nb"}
    client.post(to("responses", other.pk), sent(client.get(to("responses", other.pk)).context["form"], **changes))
    other.refresh_from_db()
    assert (other.answer, other.edited, other.status) == ("a\nb", True, PairStatus.APPROVED)


@pytest.mark.parametrize("pair", ["several turns"], indirect=True)
def test_line_ends_within_a_turn_between_can_be_changed(client_for, reviewer, to, pair):
    client = client_for(reviewer)
    data = page_of(client, to("pair", pair.pk))
    client.post(to("pair_edit", pair.pk), {**data, "turns_text": ["Which? Say.", data["turns_text"][1]]})
    texts = [turn["content"] for turn in pair.messages]
    pair.refresh_from_db()
    assert [turn["content"] for turn in pair.messages] == [*texts[:2], "Which? Say.", *texts[3:]]


# --- how long ---

RAFT = "".join(f"[{number}] {'passage ' * 160}\n\n" for number in range(1, 5)) + "What stands at the very end?"


def test_a_long_question_is_decided_on_its_page_and_annotated_whole(client_for, annotator, reviewer, to, make_pair):
    pair = make_pair(RAFT, status=PairStatus.PENDING)
    assert len(RAFT) > 5_000
    mine = response_begin(pair=pair, by=annotator)
    client = client_for(annotator)
    client.post(to("annotate_draft", pair.pk), sent(client.get(to("annotate_pair", pair.pk)).context["form"], answer="Mended."))
    mine.refresh_from_db()
    assert (mine.messages[0]["content"], mine.answer) == (RAFT, "Mended.")
    client = client_for(reviewer)
    data = page_of(client, to("pair", pair.pk))
    assert client.post(to("pair_decide", pair.pk), {**data, "action": "approve"}).status_code == 302
    assert as_it_was(pair) and Pair.objects.get().status == PairStatus.APPROVED


def test_no_browser_cuts_what_is_pasted_in(client_for, reviewer, to, make_pair):
    context = client_for(reviewer).get(to("pair", make_pair("What?").pk)).context
    for field in (*(context["form"][name] for name in ("question", "answer", "system")), context["facts"]["rejected"]):
        assert "maxlength" not in str(field)


@pytest.mark.parametrize("name", ["question", "answer", "system", "rejected", "turns"])
def test_what_is_too_long_is_said_at_its_field_and_stays_there(client_for, reviewer, to, make_pair, name):
    pair = make_pair("What?")
    client = client_for(reviewer)
    typed = {"turns_role": ["assistant", "user"], "turns_text": [TOO_LONG, "y"]} if name == "turns" else {name: TOO_LONG}
    reply = client.post(to("pair_edit", pair.pk), page_of(client, to("pair", pair.pk)) | typed)
    form = reply.context["facts" if name in ("rejected", "turns") else "form"]
    assert reply.status_code == 422 and "At most 500,000 characters; this one has 500,001." in str(form[name].errors)
    assert TOO_LONG in reply.content.decode() and not PairChange.objects.exists()


@pytest.mark.parametrize(("name", "length"), [("question", TURN_LIMIT), ("answer", TURN_LIMIT), ("system", TURN_LIMIT), ("comment", 2_000)])
def test_a_response_that_is_too_long_is_never_cut(client_for, annotator, to, make_pair, name, length):
    pair = make_pair("What?", "This.")
    mine = response_begin(pair=pair, by=annotator)
    client = client_for(annotator)
    typed = sent(client.get(to("annotate_pair", pair.pk)).context["form"], verdict="good", **{name: "x" * (length + 1)})
    reply = client.post(to("annotate_draft", pair.pk), typed)
    said = f"At most {length:,} characters; this one has {length + 1:,}."
    assert reply.status_code == 409 and reply.json()["message"] == f"{name.capitalize()}: {said}"
    for action in ("submit", "skip", "discard", "later"):
        reply = client.post(to("annotate_send", pair.pk), {**typed, "action": action})
        assert reply.status_code == 422 and said in str(reply.context["form"][name].errors)
    assert typed[name] in reply.content.decode()
    mine.refresh_from_db()
    assert (mine.revision, mine.answer, mine.state) == (1, "This.", "DRAFT")
    whole = {**typed, name: "x" * length, "action": "submit"}
    assert client.post(to("annotate_send", pair.pk), whole).status_code == 302
