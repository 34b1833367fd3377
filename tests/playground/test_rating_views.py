"""Rating answers in chat, and the reviewers' pages of what was rated: who sees what, and what comes of a press."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from curation.models import Pair
from curation.services import pair_create
from playground.models import Conversation, Feedback, Message
from playground.services import answer_make_pair
from projects.models import AuditEvent, Project, User
from tests.playground.conftest import last

pytestmark = pytest.mark.django_db
ClientFor = Callable[[User], Client]
Rate = Callable[..., Message]
MENDED = "A group of statements."
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def to(project: Project) -> Callable[..., str]:
    return lambda name, *args: reverse(f"playground:{name}", args=[project.slug, *args])


def text(response: Any) -> str:
    return response.content.decode()


# --- thumbs ---


@pytest.fixture
def answer(viewer: User, talk: Callable[..., Conversation]) -> Message:
    return last(talk(viewer, ("What is a suite?", "A sweet.")))


def test_a_second_thumb_replaces_the_first_and_a_press_on_it_takes_it_back(
    viewer: User, answer: Message, client_for: ClientFor, to: Callable[..., str]
) -> None:
    seen = []
    for good in ("yes", "no", "none"):
        client_for(viewer).post(to("feedback", answer.pk), {"good": good})
        seen.append([feedback.good for feedback in Feedback.objects.all()])
    assert seen == [[True], [False], []]


def test_a_thumb_down_is_one_press_and_then_asks_what_was_wrong(
    viewer: User, answer: Message, client_for: ClientFor, to: Callable[..., str]
) -> None:
    shown = text(client_for(viewer).post(to("feedback", answer.pk), {"good": "no"}, **HTMX))
    assert "<details" in shown and " open>" in shown
    assert ">\nA sweet.</textarea>" in shown, "the correction begins with the model's answer"
    assert "It is not true" in shown and "Send and make a pair" not in shown
    assert f'id="rating-{answer.pk}"' in shown and "<html" not in shown


def test_without_scripts_the_conversation_comes_back_with_the_form_open(
    viewer: User, answer: Message, client_for: ClientFor, to: Callable[..., str]
) -> None:
    client = client_for(viewer)
    response = client.post(to("feedback", answer.pk), {"good": "no"})
    assert response.url == f"{to('conversation', answer.conversation_id)}?rated={answer.pk}#message-{answer.pk}"
    assert '<details class="fold" open>' in text(client.get(response.url))


def test_who_rates_is_told_what_reviewers_see(
    viewer: User, talk: Callable[..., Conversation], client_for: ClientFor, to: Callable[..., str]
) -> None:
    conversation = talk(viewer, ("What is a suite?", "A sweet."), ("And a clause?", "A Christmas man."))
    client, told = client_for(viewer), []
    for message in conversation.messages.filter(role=Message.Role.ASSISTANT):
        told.append(text(client.post(to("feedback", message.pk), {"good": "yes"}, **HTMX)))
    assert "Reviewers see this question and answer</span>" in told[0]
    assert "Reviewers see this question and answer, and the turns before</span>" in told[1]
    assert "Reviewers see what you rate" not in text(client.get(to("conversation", conversation.pk)))


def test_a_correction_that_is_too_long_is_refused_and_kept(
    viewer: User, answer: Message, client_for: ClientFor, to: Callable[..., str]
) -> None:
    long = "so it is " * 1000
    response = client_for(viewer).post(to("feedback", answer.pk), {"good": "no", "correction": long, "reasons": "wrong"})
    shown = text(response)
    assert response.status_code == 422 and "At most 8,000 characters" in shown
    assert long.strip() in shown and 'maxlength="8000"' not in shown
    assert not Feedback.objects.exists()


def test_a_viewer_rates_and_makes_no_pair(viewer: User, answer: Message, client_for: ClientFor, to: Callable[..., str]) -> None:
    response = client_for(viewer).post(to("feedback", answer.pk), {"good": "yes", "make": "1"})
    assert response.status_code == 403 and not Pair.objects.exists() and not Feedback.objects.exists()


def test_an_annotator_makes_a_pair_in_the_chat_and_both_lead_to_one_another(
    project: Project, annotator: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    message, client = rate(annotator), client_for(annotator)
    assert "Make a pair of it" in text(client.get(to("conversation", message.conversation_id)))
    response = client.post(to("feedback", message.pk), {"good": "yes", "make": "1"}, **HTMX)
    shown, pair = text(response), Pair.objects.get()
    assert "A pair was made of it" in response["HX-Trigger"]
    address = reverse("curation:pair", args=[project.slug, pair.pk])
    assert f'href="{address}"' in shown and "In the pairs: What is a suite?" in shown and "Make a pair" not in shown
    assert f"{to('conversation', message.conversation_id)}#message-{message.pk}" in text(client.get(address))


def test_a_pair_that_cannot_be_made_in_the_chat_loses_nothing(
    project: Project, annotator: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    message, client = rate(annotator, good=False), client_for(annotator)
    refused = client.post(to("feedback", message.pk), {"good": "no", "correction": "A sweet.", "make": "1"}, **HTMX)
    assert refused.status_code == 422 and "should have said" in text(refused)
    there = pair_create(project=project, by=annotator, question="What is a suite?", answer="Else.")
    refused = client.post(to("feedback", message.pk), {"good": "no", "correction": MENDED, "make": "1"})
    assert refused.status_code == 422 and "have this question already" in text(refused)
    assert there.get_absolute_url() in text(refused) and MENDED in text(refused)
    assert Feedback.objects.get().correction == MENDED and Pair.objects.count() == 1


def test_nobody_rates_for_another(answer: Message, owner: User, client_for: ClientFor, to: Callable[..., str]) -> None:
    assert client_for(owner).post(to("feedback", answer.pk), {"good": "yes"}).status_code == 404


# --- what reviewers see ---


def test_only_what_was_rated_is_seen(
    reviewer: User, viewer: User, talk: Callable[..., Conversation], rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    rated, silent = rate(viewer), last(talk(viewer, ("A secret question?", "A secret answer.")))
    client = client_for(reviewer)
    shown = text(client.get(to("rated")))
    assert "What is a suite?" in shown and "secret" not in shown and str(viewer) not in shown
    assert client.get(to("rated_answer", rated.pk)).status_code == 200
    assert client.get(to("rated_answer", silent.pk)).status_code == 404
    assert client.post(to("rated_answer", silent.pk), {"answer": "I guess."}).status_code == 404
    assert client.post(to("rated_aside", silent.pk)).status_code == 404


def test_an_annotator_sees_ones_own_alone(annotator: User, viewer: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]) -> None:
    own, other = rate(annotator), rate(viewer)
    client = client_for(annotator)
    assert [client.get(to("rated_answer", message.pk)).status_code for message in (own, other)] == [200, 404]
    assert client.post(to("rated_answer", other.pk)).status_code == 404 and not Pair.objects.exists()


def test_the_list_is_filtered_by_thumb_reason_and_what_was_set_aside(
    reviewer: User, viewer: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    rate(viewer, question="Good?")
    rate(viewer, question="Wrong?", good=False, reasons=["wrong", "wording"])
    aside = rate(viewer, question="Beside?", good=False, reasons=["beside"])
    client = client_for(reviewer)
    client.post(to("rated_aside", aside.pk))

    def questions(**asked: str) -> list[str]:
        return [row["feedback"].question for row in client.get(to("rated"), asked).context["rows"]]

    assert questions() == ["Wrong?", "Good?"]
    assert questions(thumb="up") == ["Good?"] and questions(thumb="down") == ["Wrong?"]
    assert questions(reason="wording") == ["Wrong?"] and questions(reason="beside") == []
    assert questions(which="aside") == ["Beside?"]
    client.post(to("rated_aside", aside.pk) + "?back=1")
    assert questions(reason="beside") == ["Beside?"]
    actions = AuditEvent.objects.filter(action__startswith="feedback.").order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["feedback.set_aside", "feedback.put_back"]


def test_one_press_in_the_list_makes_the_pair_and_keeps_the_filters(
    reviewer: User, viewer: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    message, client = rate(viewer, good=False, correction=MENDED), client_for(reviewer)
    assert "Make a pair" in text(client.get(to("rated"), {"thumb": "down"}))
    response = client.post(to("rated_answer", message.pk) + "?thumb=down", {"list": "1"})
    assert response.url == to("rated") + "?thumb=down"
    pair = Pair.objects.get()
    assert (pair.answer, pair.created_by) == (MENDED, reviewer)
    assert client.get(to("rated")).context["page"].paginator.count == 0
    assert to("rated_answer", message.pk) in text(client.get(pair.get_absolute_url()))
    assert to("rated_answer", message.pk) not in text(client_for(viewer).get(pair.get_absolute_url()))


def test_a_poor_answer_is_mended_on_its_page(
    reviewer: User, viewer: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    message, client = rate(viewer, good=False), client_for(reviewer)
    assert "Write the answer" in text(client.get(to("rated")))
    for typed, says in (("", "Write what the model"), ("A sweet.", "called not good")):
        refused = client.post(to("rated_answer", message.pk), {"answer": typed})
        assert refused.status_code == 422 and says in text(refused) and not Pair.objects.exists()
    response = client.post(to("rated_answer", message.pk), {"answer": MENDED})
    pair = Pair.objects.get()
    assert response.url == pair.get_absolute_url()
    assert pair.rejected == [{"role": "assistant", "content": "A sweet."}]
    assert "In the pairs" in text(client.get(to("rated_answer", message.pk)))


def test_a_question_that_is_there_is_said_and_what_was_typed_stays(
    project: Project, reviewer: User, viewer: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    there = pair_create(project=project, by=reviewer, question="What is a suite?", answer="Else.")
    response = client_for(reviewer).post(to("rated_answer", rate(viewer).pk), {"answer": MENDED})
    assert response.status_code == 422
    assert there.get_absolute_url() in text(response) and MENDED in text(response)


def test_an_empty_list_teaches_and_both_rooms_lead_there(
    project: Project, reviewer: User, viewer: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    client, pairs = client_for(reviewer), reverse("curation:pairs", args=[project.slug])
    assert "Under each answer in chat are two thumbs" in text(client.get(to("rated")))
    assert "No rated answers match" in text(client.get(to("rated"), {"thumb": "up"}))
    rate(viewer)
    for page in (to("chat"), pairs):
        assert f'href="{to("rated")}"' in text(client.get(page)), page
        assert f'href="{to("rated")}"' not in text(client_for(viewer).get(page)), page
    assert [tab["count"] for tab in client.get(pairs).context["tabs"] if tab["title"] == "From chat"] == [1]


def test_what_people_typed_is_shown_as_text(
    reviewer: User, viewer: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    bad = "<script>alert(1)</script>"
    message = rate(viewer, question=bad, answer=bad, good=False, correction=f"{bad} mended")
    for page in (to("rated"), to("rated_answer", message.pk)):
        assert bad not in text(client_for(reviewer).get(page)), page
    assert bad not in text(client_for(viewer).get(to("conversation", message.conversation_id)))


# --- what it costs ---


def queries(client: Client, url: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(url).status_code == 200
    return len(seen)


def test_the_list_costs_the_same_however_much_was_rated(
    reviewer: User, viewer: User, rate: Rate, client_for: ClientFor, to: Callable[..., str]
) -> None:
    client = client_for(reviewer)
    rate(viewer, good=False, reasons=["wrong"])
    client.get(to("rated"))
    before = queries(client, to("rated"))
    for number in range(6):
        rate(viewer, question=f"Question {number}?", good=number % 2 == 0)
    assert queries(client, to("rated")) == before


def test_a_conversation_costs_the_same_however_much_of_it_was_rated(
    owner: User, talk: Callable[..., Conversation], client_for: ClientFor, to: Callable[..., str]
) -> None:
    conversation, client = talk(owner, *((f"Question {number}?", f"Answer {number}.") for number in range(6))), client_for(owner)
    answers = list(conversation.messages.filter(role=Message.Role.ASSISTANT))
    address, counts = to("conversation", conversation.pk), []
    client.post(to("feedback", answers[0].pk), {"good": "no"})
    client.get(address)
    for message in answers[1:]:
        counts.append(queries(client, address))
        client.post(to("feedback", message.pk), {"good": "no", "correction": "Else.", "reasons": "wrong"})
        if message.pk % 2:
            answer_make_pair(feedback=Feedback.objects.get(message=message), by=owner)
    assert set(counts) == {queries(client, address)}
