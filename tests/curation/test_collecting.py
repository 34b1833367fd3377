"""Places, claims and the queue: who gets which pair, and what becomes of those who go away."""

from datetime import timedelta

import pytest
from django.utils import timezone

from curation.models import Assignment, Claim, Pair, PairStatus, PairTag, Response, ResponseState, Tag
from curation.services.assigning import pairs_assign, tag_assign
from curation.services.collecting import PlaceTaken, claim_release, claims_release_expired, response_begin, response_next
from curation.services.collection import collection_set
from curation.services.responding import Said, response_discard, response_save, response_skip, response_submit, response_undo
from tests.conftest import person

pytestmark = pytest.mark.django_db


def wanted(project, by, overlap, lock_minutes=15):
    collection_set(project=project, by=by, overlap=overlap, lock_minutes=lock_minutes, guidelines="")


def answer(response, **said):
    fields = {"question": response.pair.question, "answer": response.answer, "verdict": "good", **said}
    return response_submit(response=response, said=Said(**fields), revision=response.revision)


def go_away(user):
    """As if ``user`` had closed the lid an hour ago."""
    Claim.objects.filter(user=user).update(expires_at=timezone.now() - timedelta(minutes=1))


@pytest.fixture
def people(project):
    from projects.models import Membership

    made = [person(name) for name in ("ada", "ben", "cleo")]
    for user in made:
        Membership.objects.create(project=project, user=user, role="annotator")
    return made


def test_two_people_never_get_the_same_pair_unknowingly(project, people, make_pair):
    pairs = [make_pair(f"Question {number}?") for number in range(3)]
    given = [response_next(project=project, by=user).pair for user in people]
    assert sorted(pair.pk for pair in given) == sorted(pair.pk for pair in pairs)
    assert response_next(project=project, by=person("late")) is None


def test_asking_again_gives_the_pair_one_is_at(project, people, make_pair):
    for number in range(3):
        make_pair(f"Question {number}?")
    first = response_next(project=project, by=people[0])
    assert response_next(project=project, by=people[0]) == first
    assert Claim.objects.count() == 1


def test_a_draft_starts_from_what_the_pair_suggests(project, annotator, make_pair):
    pair = make_pair("What?", "This.", topic="Pumps", difficulty="easy")
    tag = Tag.objects.create(project=project, name="safety")
    PairTag.objects.create(pair=pair, tag=tag)
    response = response_next(project=project, by=annotator)
    assert (response.messages, response.answer, response.tags) == (pair.messages, "This.", [tag.pk])
    assert (response.topic, response.difficulty, response.verdict) == ("Pumps", "easy", "")


def test_overlap_gives_a_pair_to_as_many_as_are_wanted_and_no_more(project, owner, people, make_pair):
    wanted(project, owner, 2)
    pair = make_pair("What?", responses_left=2)
    first, second = (response_next(project=project, by=user) for user in people[:2])
    assert first.pair == second.pair == pair
    assert response_next(project=project, by=people[2]) is None
    answer(first)
    answer(second)
    pair.refresh_from_db()
    assert (pair.collected, pair.responses_left, Claim.objects.count()) == (2, 0, 0)


def test_pairs_that_others_began_come_before_fresh_ones(project, owner, people, make_pair):
    wanted(project, owner, 2)
    older, begun = make_pair("Older?", responses_left=2), make_pair("Begun?", responses_left=2)
    answer(response_begin(pair=begun, by=people[0]))
    assert response_next(project=project, by=people[1]).pair == begun
    assert response_next(project=project, by=people[0]).pair == older


def test_when_a_lock_s_owner_disappears_the_pair_comes_free(project, people, make_pair):
    pair = make_pair("What?")
    response_next(project=project, by=people[0])
    assert response_next(project=project, by=people[1]) is None
    go_away(people[0])
    assert response_next(project=project, by=people[1]).pair == pair
    assert list(Claim.objects.values_list("user", flat=True)) == [people[1].pk]


def test_whoever_comes_back_too_late_loses_no_words_and_collects_nothing_twice(project, people, make_pair):
    pair = make_pair("What?")
    mine = response_next(project=project, by=people[0])
    mine = response_save(response=mine, said=Said("What?", "My long answer."), revision=mine.revision)
    go_away(people[0])
    answer(response_next(project=project, by=people[1]))
    with pytest.raises(PlaceTaken, match="stays in your draft"):
        answer(mine, answer="My long answer.")
    mine.refresh_from_db()
    pair.refresh_from_db()
    assert (mine.state, mine.answer) == (ResponseState.DRAFT, "My long answer.")
    assert (pair.collected, pair.responses_left) == (1, 0)


def test_whoever_comes_back_in_time_goes_on(project, people, make_pair):
    make_pair("What?")
    mine = response_next(project=project, by=people[0])
    go_away(people[0])
    assert claims_release_expired(project=project) == 1
    assert answer(mine).state == ResponseState.SUBMITTED
    assert Pair.objects.values_list("collected", "responses_left").get() == (1, 0)


def test_saving_a_draft_renews_the_lock(project, annotator, make_pair):
    make_pair("What?")
    mine = response_next(project=project, by=annotator)
    Claim.objects.update(expires_at=timezone.now() + timedelta(seconds=5))
    response_save(response=mine, said=Said("What?", "This."), revision=mine.revision)
    assert Claim.objects.get().expires_at > timezone.now() + timedelta(minutes=10)


def test_an_expired_claim_is_released_once(project, annotator, make_pair):
    make_pair("What?")
    response_next(project=project, by=annotator)
    go_away(annotator)
    assert [claims_release_expired(project=project) for _ in range(2)] == [1, 0]
    assert not claim_release(pair_id=Pair.objects.get().pk, by=annotator)
    assert Pair.objects.get().responses_left == 1


def test_a_skipped_pair_is_for_others_and_comes_back_only_when_asked_for(project, people, make_pair):
    pair = make_pair("What?")
    mine = response_next(project=project, by=people[0])
    response_skip(response=mine, said=Said("What?", "Half"), revision=mine.revision)
    assert response_next(project=project, by=people[0]) is None
    again = response_undo(response=Response.objects.get())
    assert (again.state, again.answer, Pair.objects.get().responses_left) == (ResponseState.DRAFT, "Half", 0)
    response_skip(response=again, said=Said("What?", "Half"), revision=again.revision)
    assert response_next(project=project, by=people[1]).pair == pair


def test_next_keeps_the_draft_gives_the_place_back_and_comes_round_again(project, annotator, make_pair):
    first, second = make_pair("First?"), make_pair("Second?")
    mine = response_next(project=project, by=annotator)
    other = response_next(project=project, by=annotator, leaving=mine)
    assert (mine.pair, other.pair, Claim.objects.count()) == (first, second, 1)
    assert response_next(project=project, by=annotator, leaving=other).pair == first
    answer(mine)
    assert response_next(project=project, by=annotator).pair == second


def test_discarding_counts_as_a_response(project, annotator, make_pair):
    make_pair("What?")
    mine = response_next(project=project, by=annotator)
    response_discard(response=mine, said=Said("", ""), revision=mine.revision)
    assert Pair.objects.values_list("collected", "responses_left").get() == (1, 0)


@pytest.mark.parametrize("status", [PairStatus.APPROVED, PairStatus.REJECTED])
def test_nobody_is_given_what_a_reviewer_has_decided(project, annotator, make_pair, status):
    pair = make_pair("What?", status=status)
    assert response_next(project=project, by=annotator) is None
    with pytest.raises(PlaceTaken, match="reviewer has decided"):
        response_begin(pair=pair, by=annotator)


def test_a_tag_assigns_a_queue_and_keeps_it_from_the_others(project, owner, people, make_pair):
    tagged, other = make_pair("Tagged?"), make_pair("Other?")
    tag = Tag.objects.create(project=project, name="law")
    PairTag.objects.create(pair=tagged, tag=tag)
    tag_assign(project=project, by=owner, to=people[0], tag=tag)
    assert response_next(project=project, by=people[1]).pair == other
    assert response_next(project=project, by=people[0]).pair == tagged
    assert response_next(project=project, by=people[2]) is None


def test_pairs_assigned_one_by_one_are_a_queue_too(project, owner, people, make_pair, monkeypatch):
    pairs = [make_pair(f"Question {number}?") for number in range(4)]
    ours = Pair.objects.filter(pk__in=[pair.pk for pair in pairs[2:]])
    assert pairs_assign(project=project, by=owner, to=people[0], pairs=ours) == 2
    assert response_next(project=project, by=people[0]).pair == pairs[2]
    assert response_next(project=project, by=people[1]).pair == pairs[0]
    monkeypatch.setattr("curation.queueing.FEW", 0)  # however many they are, the queue is the same
    answer(response_next(project=project, by=people[0]))
    assert response_next(project=project, by=people[0]).pair == pairs[3]
    assert Assignment.objects.count() == 2


def test_a_pair_can_be_begun_by_name_while_it_has_a_place(project, people, make_pair):
    pair = make_pair("What?")
    assert response_begin(pair=pair, by=people[0]).pair == pair
    with pytest.raises(PlaceTaken, match="Others have"):
        response_begin(pair=pair, by=people[1])


def test_changing_the_overlap_makes_the_free_places_fit(project, owner, people, make_pair):
    done, at_work, fresh = make_pair("Done?"), make_pair("At work?"), make_pair("Fresh?")
    answer(response_begin(pair=done, by=people[0]))
    response_begin(pair=at_work, by=people[1])

    def left():
        return [Pair.objects.get(pk=pair.pk).responses_left for pair in (done, at_work, fresh)]

    assert left() == [0, 0, 1]
    wanted(project, owner, 3)
    assert left() == [2, 2, 3]
    wanted(project, owner, 1)
    assert left() == [0, 0, 1]
