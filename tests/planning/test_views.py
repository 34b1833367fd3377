import pytest
from django.urls import reverse

from planning.models import Plan
from planning.services import plan_create
from tests.planning.test_services import ANSWERS

pytestmark = pytest.mark.django_db


@pytest.fixture
def url(project):
    return reverse("planning:plan", args=[project.slug])


@pytest.fixture
def save_url(project):
    return reverse("planning:plan_save", args=[project.slug])


def test_a_project_opens_at_its_plan(client_for, owner, project, url):
    assert client_for(owner).get(project.get_absolute_url()).url == url


def test_an_empty_project_is_asked_the_questions(client_for, owner, url):
    page = client_for(owner).get(url).content.decode()
    assert page.count("<fieldset") == 7
    assert "Your plan takes shape here" in page


def test_an_answer_changes_the_picture_at_once(client_for, owner, url):
    client = client_for(owner)
    fragment = client.get(url, {"change": "often"}, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment and "RAG" in fragment and "1 of 6 answered" in fragment
    fragment = client.get(
        url, {"change": "often", "behaviour": "format", "learn_from": "many"}, headers={"HX-Request": "true"}
    ).content.decode()
    assert "RAG + LoRA" in fragment


def test_the_same_address_shows_the_same_answers_as_a_page(client_for, owner, url):
    page = client_for(owner).get(url, {"change": "often", "limits": ["fast", "private"]}).content.decode()
    assert 'value="often" checked' in page and 'value="fast" checked' in page and 'value="private" checked' in page


def test_answers_that_are_not_known_are_ignored(client_for, owner, url):
    assert client_for(owner).get(url, {"change": "<script>", "nonsense": "1"}).status_code == 200


def test_using_the_plan_keeps_it_and_shows_it(client_for, owner, url, save_url):
    client = client_for(owner)
    assert client.post(save_url, {**ANSWERS, "base_key": "smollm2-135m-instruct"}).url == url
    page = client.get(url).content.decode()
    assert "RAG + LoRA + Quantise" in page and "Change answers" in page and "<fieldset" not in page


def test_changing_begins_with_the_answers_that_were_given(client_for, owner, project, url):
    plan_create(project=project, by=owner, answers=ANSWERS)
    page = client_for(owner).get(url, {"edit": "1"}).content.decode()
    assert 'value="cpu" checked' in page and 'value="budget" checked' in page


def test_open_questions_are_shown_where_they_are(client_for, owner, save_url):
    response = client_for(owner).post(save_url, {**ANSWERS, "hardware": ""})
    assert response.status_code == 422
    assert response.content.decode().count("Choose an answer.") == 1
    assert not Plan.objects.exists()


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("annotator", 403), ("reviewer", 403), ("engineer", 302), ("owner", 302)])
def test_only_who_builds_decides_on_the_plan(client_for, member, save_url, url, role, status):
    client = client_for(member(role))
    assert client.get(url).status_code == 200
    assert client.post(save_url, ANSWERS).status_code == status


def test_an_outsider_finds_nothing(client_for, outsider, url, save_url):
    assert client_for(outsider).get(url).status_code == 404
    assert client_for(outsider).post(save_url, ANSWERS).status_code == 404


def test_advice_that_has_changed_since_is_said(client_for, owner, project, url):
    plan = plan_create(project=project, by=owner, answers=ANSWERS)
    Plan.objects.filter(pk=plan.pk).update(rules_version="older")
    assert "has changed since" not in client_for(owner).get(url).content.decode()
    Plan.objects.filter(pk=plan.pk).update(recommendation={**plan.recommendation, "title": "Prompting"})
    assert "has changed since" in client_for(owner).get(url).content.decode()


def test_a_picture_costs_few_queries(client_for, owner, project, url, django_assert_max_num_queries):
    client = client_for(owner)
    for _ in range(5):
        plan_create(project=project, by=owner, answers=ANSWERS)
    with django_assert_max_num_queries(30):
        client.get(url)
    with django_assert_max_num_queries(12):
        client.get(url, ANSWERS, headers={"HX-Request": "true"})
