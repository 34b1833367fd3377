"""Annotating what a filter of the table finds: only that, and only what is theirs to answer anyway."""

import random
from urllib.parse import urlencode

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from curation.filters import Condition, Group, filter_text
from curation.models import Claim, Pair, PairStatus, PairTag, Response, ResponseState, Tag
from curation.query import Query
from curation.selectors.pairs import pairs_of
from curation.services.assigning import pairs_assign, tag_assign
from curation.services.collecting import response_begin, response_next
from curation.services.responding import Said, response_skip
from projects.models import Membership
from tests.conftest import person
from tests.curation.test_annotate import form_of
from tests.curation.test_collecting import answer, go_away, wanted

pytestmark = pytest.mark.django_db


@pytest.fixture
def to(project):
    return lambda name, *args: reverse(f"curation:{name}", args=[project.slug, *args])


@pytest.fixture
def pumps(project):
    return lambda: pairs_of(project, Query(topic="Pumps"))


@pytest.fixture
def four(make_pair):
    """Valves, Pumps, Valves, Pumps: the oldest is not what is asked for."""
    return [make_pair(f"Question {number}?", topic="Pumps" if number % 2 else "Valves") for number in range(4)]


def test_only_what_matches_is_given_out_oldest_first_until_nothing_is_left(project, annotator, four, pumps):
    for pair in (four[1], four[3]):
        response = response_next(project=project, by=annotator, within=pumps())
        assert response.pair_id == pair.pk
        answer(response)
    assert response_next(project=project, by=annotator, within=pumps()) is None
    assert response_next(project=project, by=annotator).pair_id == four[0].pk


def test_what_one_is_at_comes_first_and_what_was_put_off_last(project, annotator, four, pumps):
    first = response_next(project=project, by=annotator, within=pumps())
    assert response_next(project=project, by=annotator, within=pumps()) == first
    second = response_next(project=project, by=annotator, within=pumps(), leaving=first)
    assert second.pair_id == four[3].pk
    go_away(annotator)
    assert response_next(project=project, by=annotator, within=pumps(), leaving=second) == first
    assert Claim.objects.filter(user=annotator).count() == 1


def test_a_draft_outside_the_filter_waits(project, annotator, four, pumps):
    response_begin(pair=four[0], by=annotator)
    assert response_next(project=project, by=annotator, within=pumps()).pair_id == four[1].pk


def test_what_others_began_comes_before_fresh_ones(project, owner, annotator, reviewer, four, pumps):
    wanted(project, owner, 2)
    response_begin(pair=Pair.objects.get(pk=four[3].pk), by=reviewer)
    assert response_next(project=project, by=annotator, within=pumps()).pair_id == four[3].pk


def test_what_is_another_s_to_answer_or_decided_or_full_is_passed_over(project, owner, annotator, reviewer, four, pumps, make_pair):
    make_pair("Decided?", topic="Pumps", status=PairStatus.APPROVED)
    answer(response_begin(pair=make_pair("Full?", topic="Pumps"), by=reviewer))
    pairs_assign(project=project, by=owner, to=reviewer, pairs=Pair.objects.filter(pk=four[1].pk))
    assert response_next(project=project, by=annotator, within=pumps()).pair_id == four[3].pk
    assert response_next(project=project, by=reviewer, within=pumps()).pair_id == four[1].pk
    answer(Response.objects.get(pair=four[1]))
    assert response_next(project=project, by=reviewer, within=pumps()) is None  # who is assigned something works on that alone


@pytest.mark.parametrize("overlap", [1, 3])
def test_within_all_pairs_everybody_gets_what_the_whole_queue_gives_them(project, owner, make_pair, overlap):
    """Both ways to the next pair obey the same rules, whatever happened before."""
    dice, people = random.Random(overlap), [person(name) for name in ("ada", "ben", "cleo")]
    for user in people:
        Membership.objects.create(project=project, user=user, role="annotator")
    wanted(project, owner, overlap)
    tag = Tag.objects.create(project=project, name="safety")
    for number in range(10):
        pair = make_pair(f"Question {number}?", responses_left=overlap)
        if number % 3 == 0:
            PairTag.objects.create(pair=pair, tag=tag)
    given = 0
    for step in range(60):
        if step == 30:
            tag_assign(project=project, by=owner, to=people[2], tag=tag)
        for user in people:
            got = would_get(project, user, None)
            assert would_get(project, user, Pair.objects.filter(project=project)) == got, f"{user} after {step} steps"
            given += got is not None
        user = dice.choice(people)
        response = response_next(project=project, by=user)
        action = dice.choice(["answer", "answer", "skip", "leave", "go away", "send back"])
        if action == "go away":
            go_away(user)
        elif action == "send back":
            Pair.objects.filter(pk=dice.choice(list(Pair.objects.values_list("pk", flat=True)))).update(status=PairStatus.CHANGES)
        elif response and action == "leave":
            response_next(project=project, by=user, leaving=response)
        elif response and action == "skip":
            response_skip(response=response, said=Said("", ""), revision=response.revision)
        elif response:
            answer(response)
    assert given > 60


def would_get(project, user, within):
    """The pair that would be given out next; nothing is."""
    with transaction.atomic():
        response = response_next(project=project, by=user, within=within)
        transaction.set_rollback(True)
    return response and response.pair_id


def test_the_filter_travels_from_the_table_through_every_step(client_for, annotator, four, to):
    query = urlencode({"f": filter_text(Group("all", (Condition("topic", "is", "Pumps"),)))})
    client = client_for(annotator)
    table = client.get(f"{to('pairs')}?{query}&page=1").content.decode()
    assert f'data-export="{to("annotate")}"' in table
    home = client.get(f"{to('annotate')}?{query}&sort=question")
    assert "Topic is Pumps" in home.content.decode() and home.context["narrowed"].query == query
    at = f"{to('annotate_next')}?{query}"
    assert at.replace("&", "&amp;") in home.content.decode()
    first, second = f"{to('annotate_pair', four[1].pk)}?{query}", f"{to('annotate_pair', four[3].pk)}?{query}"
    assert client.post(at).url == first
    page = client.get(first).content.decode()
    assert "Topic is Pumps" in page and f"{to('annotate_send', four[1].pk)}?{query}" in page
    sent = form_of(Response.objects.get(), action="submit")
    assert client.post(f"{to('annotate_send', four[1].pk)}?{query}", sent).url == second
    assert f"{to('annotate_undo', four[1].pk)}?{query}" in client.get(second).content.decode()
    assert client.post(f"{to('annotate_undo', four[1].pk)}?{query}").url == first
    said = client.post(f"{to('pair_comment', four[1].pk)}?{query}", {"text": "Why?", "from": "annotate"})
    assert said.url == f"{first}#comments"
    for pair in (four[1], four[3]):
        sent = form_of(Response.objects.get(pair=pair), action="submit")
        reply = client.post(f"{to('annotate_send', pair.pk)}?{query}", sent, follow=True)
    assert "Nothing that matches is left for you" in reply.content.decode()
    assert set(Response.objects.values_list("state", flat=True)) == {ResponseState.SUBMITTED}


def test_what_is_refused_stays_within_the_filter(client_for, annotator, four, to):
    client = client_for(annotator)
    client.post(f"{to('annotate_next')}?topic=Pumps")
    sent = form_of(Response.objects.get(), verdict="", action="submit")
    reply = client.post(f"{to('annotate_send', four[1].pk)}?topic=Pumps", sent)
    assert reply.status_code == 422 and f"{to('annotate_send', four[1].pk)}?topic=Pumps" in reply.content.decode()


def test_a_filter_that_cannot_be_read_is_refused_and_takes_nothing(client_for, annotator, four, to):
    assert client_for(annotator).post(f"{to('annotate_next')}?f=nonsense").status_code == 400
    assert not Response.objects.exists()


def test_it_costs_the_same_queries_however_many_match(project, annotator, four, pumps, make_pair):
    def queries():
        with CaptureQueriesContext(connection) as made:
            answer(response_next(project=project, by=annotator, within=pumps()))
        return len(made)

    before = queries()
    tag = Tag.objects.create(project=project, name="x")
    for number in range(30):
        make_pair(f"More {number}?", topic="Pumps").tags.add(tag)
    assert queries() == before
