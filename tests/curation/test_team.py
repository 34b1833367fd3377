"""The team page: progress, what each did, agreement, assignments, settings."""

import pytest
from django.urls import reverse

from curation.models import Assignment, CollectionSettings, Pair, Tag
from curation.selectors.collecting import Progress, team_progress
from curation.selectors.team import agreement_of, annotators
from curation.services import pair_reject
from curation.services.collecting import response_begin
from curation.services.responding import Said, response_discard, response_skip
from curation.services.reviewing import pair_adjudicate
from tests.curation.test_collecting import answer
from tests.curation.test_reviewing import disputed, two  # noqa: F401 (fixtures)

pytestmark = pytest.mark.django_db


@pytest.fixture
def to(project):
    return lambda name, *args: reverse(f"curation:{name}", args=[project.slug, *args])


def test_progress_counts_what_is_complete_or_decided(project, disputed, owner, make_pair):  # noqa: F811
    pair_reject(pair=make_pair("Decided?"), by=owner)
    make_pair("Waiting?")
    assert team_progress(project, overlap=2) == Progress(2, 3)
    assert Progress(199, 200).percent == 99 and Progress(0, 0).percent == 0


def test_statistics_say_what_each_did_and_whose_words_were_taken(project, disputed, reviewer, two, make_pair):  # noqa: F811
    pair, ada, _ = disputed
    mine = response_begin(pair=make_pair("Other?", responses_left=2), by=two[1])
    response_skip(response=mine, said=Said("", "", seconds=5), revision=1)
    pair_adjudicate(pair=pair, by=reviewer, response=ada)
    by_name = {str(one.user): one for one in annotators(project)}
    assert (by_name["Ada"].submitted, by_name["Ada"].kept, by_name["Ada"].disputed) == (1, 100, 1)
    assert (by_name["Ben"].submitted, by_name["Ben"].kept, by_name["Ben"].skipped) == (1, 0, 1)


def test_time_discards_and_good_ones_are_counted_for_each(client_for, project, annotator, reviewer, to, make_pair):
    for number, (verdict, seconds) in enumerate((("good", 30), ("bad", 90), ("good", 0))):
        answer(response_begin(pair=make_pair(f"Question {number}?"), by=annotator), verdict=verdict, seconds=seconds)
    dropped = response_begin(pair=make_pair("Dropped?"), by=annotator)
    response_discard(response=dropped, said=Said("", "", seconds=60), revision=1)
    skipped = response_begin(pair=make_pair("Skipped?"), by=annotator)
    response_skip(response=skipped, said=Said("", "", seconds=600), revision=1)
    (one,) = annotators(project)
    assert (one.submitted, one.discarded, one.skipped, one.good) == (3, 1, 1, 2)
    assert one.seconds == 60  # of 30, 90 and 60: what was never looked at and what was skipped say nothing
    row = client_for(reviewer).get(to("team")).content.decode().split(f"<strong>{annotator}</strong>")[1].split("</tr>")[0]
    shown = [cell.split("</td>")[0] for cell in row.split('<td class="num">')[1:]]
    assert shown[:5] == ["3", "1", "1", "1 min", "2"]


def test_agreement_is_over_verdicts_tags_and_answers(project, two, make_pair):  # noqa: F811
    tag = Tag.objects.create(project=project, name="safety")
    for number in range(4):
        pair = make_pair(f"Question {number}?", "Press the red key.", responses_left=2)
        answer(response_begin(pair=pair, by=two[0]), verdict="good" if number else "bad", tags=[tag.pk])
        answer(response_begin(pair=pair, by=two[1]), verdict="good", tags=[tag.pk], answer="Press the green key.")
    verdict, tags, answers = agreement_of(project)
    assert (verdict.figures.pairs, verdict.figures.percent, tags.figures.percent) == (4, 75, 100)
    assert verdict.figures.cohen is not None and tags.figures.cohen is None
    assert answers.figures.percent == pytest.approx(75)


def test_the_page_shows_people_and_fetches_the_agreement(client_for, annotator, to, disputed):  # noqa: F811
    client = client_for(annotator)
    page = client.get(to("team")).content.decode()
    assert "Ada" in page and to("team_agreement") in page and "Settings" not in page.split('id="main"')[1]
    fragment = client.get(to("team_agreement")).content.decode()
    assert "Verdict" in fragment and "100.0%" in fragment and "<html" not in fragment


def test_settings_are_kept_and_tags_get_their_keys_in_order(client_for, reviewer, project, to, make_pair):
    make_pair("What?")
    form = {"overlap": 3, "lock_minutes": 5, "guidelines": "# Kind", "tags": "law\n\n safety \nlaw"}
    client = client_for(reviewer)
    assert client.post(to("team_settings"), form).url == to("team")
    kept = CollectionSettings.objects.get()
    assert (kept.overlap, kept.lock_minutes, kept.guidelines) == (3, 5, "# Kind")
    assert [tag.name for tag in Tag.objects.filter(project=project)] == ["law", "safety"]
    client.post(to("team_settings"), {**form, "tags": "safety\nlaw"})
    assert [tag.name for tag in Tag.objects.filter(project=project)] == ["safety", "law"]
    assert Pair.objects.get().responses_left == 3
    assert client.get(to("team_settings")).context["form"]["tags"].value() == "safety\nlaw"


@pytest.mark.parametrize(("field", "value"), [("overlap", "0"), ("overlap", "11"), ("lock_minutes", "0"), ("tags", "x" * 41)])
def test_settings_that_cannot_be_are_refused_and_kept_on_the_form(client_for, reviewer, to, field, value):
    form = {"overlap": 2, "lock_minutes": 5, "guidelines": "# Kind", "tags": "", field: value}
    reply = client_for(reviewer).post(to("team_settings"), form)
    assert reply.status_code == 422 and "# Kind" in reply.content.decode()
    assert not CollectionSettings.objects.exists()


def test_people_are_assigned_a_tag_or_dealt_what_waits(client_for, reviewer, annotator, viewer, project, to, make_pair):
    for number in range(4):
        make_pair(f"Question {number}?")
    tag = Tag.objects.create(project=project, name="law")
    client, people = client_for(reviewer), [reviewer.pk, annotator.pk]
    client.post(to("team_assign"), {"people": people, "what": f"tag:{tag.pk}"})
    assert Assignment.objects.filter(tag=tag).count() == 2
    client.post(to("team_assign"), {"people": people, "what": "waiting"})
    assert sorted(Assignment.objects.filter(pair__isnull=False).values_list("user", flat=True)) == sorted(people * 2)
    assert "One by one" in client.get(to("team")).content.decode() or "one by one" in client.get(to("team")).content.decode()
    assert client.post(to("team_assign"), {"people": [viewer.pk], "what": "waiting"}).status_code == 422
    client.post(to("team_unassign"), {"user": annotator.pk, "tag": tag.pk})
    client.post(to("team_unassign"), {"user": annotator.pk})
    assert not Assignment.objects.filter(user=annotator).exists()
