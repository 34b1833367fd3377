"""Responses side by side: every text and label in which they differ is there, and marked."""

import pytest
from django.urls import reverse

from curation.agreement import differing
from curation.messages import messages_of
from curation.models import Pair, Tag
from curation.responses import sides_of
from curation.selectors.collecting import responses_to
from curation.services.collecting import response_begin
from curation.services.responding import Said, response_discard
from curation.services.reviewing import pair_adjudicate
from curation.services.writing import derived
from tests.conftest import person
from tests.curation.test_collecting import answer, wanted

pytestmark = pytest.mark.django_db

MIDDLE = [{"role": "assistant", "content": "Which pump?"}, {"role": "user", "content": "The red one."}]


@pytest.fixture
def pair(project, owner, make_pair):
    wanted(project, owner, 2)
    question, last = messages_of("What?", "This.")
    made = make_pair("What?", "This.", responses_left=2)
    Pair.objects.filter(pk=made.pk).update(**derived([question, *MIDDLE, last]))
    return Pair.objects.get()


@pytest.fixture
def said(pair):
    """``said({…}, {…})``: the responses of Ada and Ben."""

    def say(*each):
        for name, one in zip(("ada", "ben"), each, strict=False):
            answer(response_begin(pair=Pair.objects.get(), by=person(name)), **one)
        return responses_to(pair)

    return say


def shown(pair, responses):
    """Of each column its texts by name, each as what is the same and what is marked."""
    sides = sides_of(pair, responses, list(Tag.objects.all()))
    return [{part.name: [(one.kind, one.text) for one in part.segments] for part in side.parts} for side in sides]


def marked(pair, responses):
    return [[label.name for label in side.said if label.differs] for side in sides_of(pair, responses, list(Tag.objects.all()))]


def test_two_who_differ_in_the_system_prompt_see_it(client_for, reviewer, project, pair, said):
    responses = said({"system": "Be brief."}, {"system": ""})
    assert Pair.objects.get().disputed and differing(responses) == ["System prompt"]
    ada, ben = shown(pair, responses)
    assert (ada["System prompt"], ben["System prompt"]) == ([("gone", "Be brief.")], [])
    assert list(ada) == list(ben) == ["System prompt", "Question", "Answer"]
    page = client_for(reviewer).get(reverse("curation:responses", args=[project.slug, pair.pk])).content.decode()
    assert "They differ in: <strong>System prompt</strong>." in page and "<del>Be brief.</del>" in page


def test_a_turn_in_the_middle_that_differs_is_shown_with_its_words(pair, said):
    said({})
    blue = [*pair.messages[:2], {"role": "user", "content": "The blue one."}, pair.messages[-1]]
    Pair.objects.update(messages=blue)  # edited between the two
    answer(response_begin(pair=Pair.objects.get(), by=person("ben")))
    responses = responses_to(pair)
    assert differing(responses) == ["Turn 3 (question)"] and Pair.objects.get().disputed
    ada, ben = shown(pair, responses)
    assert ada["Turn 3 (question)"] == [("same", "The "), ("gone", "red"), ("same", " one.")]
    assert ben["Turn 3 (question)"] == [("same", "The "), ("new", "blue"), ("same", " one.")]
    assert list(ada) == ["Question", "Turn 3 (question)", "Answer"]


def test_labels_that_differ_are_marked_on_both_sides(client_for, reviewer, project, pair, said):
    tags = [Tag.objects.create(project=project, name=name, order=2 - place) for place, name in enumerate("ab")]
    responses = said({"tags": [tag.pk for tag in tags], "topic": "Pumps"}, {"tags": [tags[0].pk], "topic": "Pumps", "verdict": "bad"})
    assert differing(responses) == ["Verdict", "Tags"] and marked(pair, responses) == [["Verdict", "Tags"]] * 2
    page = client_for(reviewer).get(reverse("curation:responses", args=[project.slug, pair.pk])).content.decode()
    assert "They differ in: <strong>Verdict, Tags</strong>." in page and page.count(">differs<") == 4


def test_those_who_agree_have_nothing_marked(client_for, reviewer, project, pair, said):
    responses = said({"answer": "This. "}, {"answer": " This."})
    assert differing(responses) == [] and marked(pair, responses) == [[], []]
    page = client_for(reviewer).get(reverse("curation:responses", args=[project.slug, pair.pk])).content.decode()
    assert "They differ" not in page and ">differs<" not in page and "<del>" not in page


def test_who_discards_differs_in_the_verdict_alone(pair, said):
    said({"answer": "That."})
    mine = response_begin(pair=Pair.objects.get(), by=person("ben"))
    response_discard(response=mine, said=Said("What?", "This."), revision=mine.revision)
    assert differing(responses_to(pair)) == ["Verdict"]


def test_a_single_response_stands_beside_the_pair(pair, said):
    tag = Tag.objects.create(project=pair.project, name="a")
    responses = said({"answer": "That.", "system": "Be brief.", "tags": [tag.pk]})
    there, ada = shown(pair, responses)
    assert (there["Answer"][0], ada["Answer"][0]) == (("gone", "This"), ("new", "That"))
    assert (there["System prompt"], ada["System prompt"]) == ([], [("new", "Be brief.")])
    assert marked(pair, responses) == [["Tags"], ["Tags"]]


def test_taking_a_response_keeps_the_rejected_answer_where_it_was(pair, said, reviewer):
    worse = [{"role": "assistant", "content": "Worse."}]
    Pair.objects.update(rejected=worse, fork=3)
    (ada,) = said({"system": "Be brief."})
    now = pair_adjudicate(pair=Pair.objects.get(), by=reviewer, response=ada)
    assert [turn["role"] for turn in now.messages[:2]] == ["system", "user"]
    assert (now.rejected, now.fork) == (worse, len(now.messages) - 1)
