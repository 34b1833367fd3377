"""Further pairs from pairs: chosen as in the table, the whole way through the run, waiting for review with their parent."""

import pytest
from django.urls import reverse

from curation.models import Origin, Pair, PairStatus
from curation.services.augmenting import pairs_augment
from curation.services.writing import PairError
from runs.models import Run, Status
from runs.services import RunError
from tests.curation.conftest import make_document, text_with

TEMPLATE = {"method": "template", "per_pair": 2, "templates": "A colleague asks: {question}\nIn short: {question}"}
FORM = {
    "language": "German",
    "slots": "",
    "max_calls": 10,
    "max_tokens": 0,
    "max_cost": 0,
    "answer_tokens": 300,
    "temperature": 0.7,
    "parallel": 1,
    "seconds": 20,
    "tries": 2,
    "wait": 0,
    "minimum_support": 0.6,
}


@pytest.mark.django_db(transaction=True)
def test_templates_make_pairs_that_wait_for_review_and_know_their_parent(project, owner, client_for, make_pair, supervised):
    version = make_document(project, "a.md", text_with(5, "a"))
    chosen = make_pair("Who keeps the keys?", "Sentence 0 of a say", version=version, status=PairStatus.APPROVED, topic="Keys")
    make_pair("Who paints the door?", "The painter.", version=version, status=PairStatus.APPROVED, topic="Doors")
    url = reverse("curation:pairs_augment", args=[project.slug])
    page = client_for(owner).get(url, {"topic": "Keys"}).content.decode()
    assert "From the <strong>1</strong> pair that the table" in page and f'action="{url}?topic=Keys"' in page
    response = client_for(owner).post(f"{url}?topic=Keys", {**FORM, **TEMPLATE})
    assert response.status_code == 302, response.context["form"].errors
    run = Run.objects.get(stage="augment_pairs")
    supervised(run)
    assert run.status == Status.SUCCEEDED, run.error
    made = Pair.objects.filter(origin=Origin.AUGMENTED)
    assert {pair.question for pair in made} == {"A colleague asks: Who keeps the keys?", "In short: Who keeps the keys?"}
    for pair in made:
        assert (pair.parent, pair.status, pair.topic) == (chosen, PairStatus.PENDING, "Keys")
        assert pair.source_list == chosen.source_list and pair.made_by == "augment_pairs (template)"


@pytest.mark.django_db
def test_only_approved_pairs_are_taken_where_the_address_says_nothing(project, owner, client_for, make_pair):
    make_pair("Waiting?")
    make_pair("Approved?", status=PairStatus.APPROVED)
    make_pair("A whole passage?", status=PairStatus.APPROVED, shape="raft")
    page = client_for(owner).get(reverse("curation:pairs_augment", args=[project.slug]))
    assert page.context["count"] == 1


@pytest.mark.django_db
def test_without_pairs_or_a_model_it_says_what_to_do(project, owner, client_for, make_pair):
    with pytest.raises(PairError, match="no pairs"):
        pairs_augment(project=project, by=owner, pairs=Pair.objects.all(), params=TEMPLATE)
    make_pair("Approved?", status=PairStatus.APPROVED)
    with pytest.raises(PairError, match="not there any more"):
        pairs_augment(project=project, by=owner, pairs=Pair.objects.all(), params={"method": "paraphrase"})
    with pytest.raises(RunError):
        pairs_augment(project=project, by=owner, pairs=Pair.objects.all(), params={**TEMPLATE, "per_pair": 0})
    sent = {**FORM, "method": "paraphrase", "per_pair": 2, "templates": "In {topic}, {question}"}
    response = client_for(owner).post(reverse("curation:pairs_augment", args=[project.slug]), sent)
    assert (
        response.status_code == 422
        and "Choose a model" in response.content.decode()
        and "In {topic}, {question}" in response.content.decode()
    )
