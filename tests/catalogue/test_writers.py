"""Which models may be asked to write, and with which secrets."""

import pytest

from catalogue.serving import ServingError
from catalogue.writers import chat, writer_access, writer_find, writers
from engine import grants
from projects.endpoints import endpoint_create
from runs.environment import engine_environment
from runs.models import Run
from tests.catalogue import made

pytestmark = pytest.mark.django_db
FIELDS = {"name": "Elsewhere", "url": "http://127.0.0.1:9/v1", "model": "big-1", "allow_private": True, "price_in": 1.0, "price_out": 4.0}


@pytest.fixture
def endpoint(project, owner):
    return endpoint_create(project=project, by=owner, key="sk-1", **FIELDS)


def test_models_of_this_machine_come_before_those_elsewhere(project, endpoint):
    base = made.base()
    assert [(writer.key, writer.here) for writer in writers(project)] == [(f"artifact:{base.pk}", True), (f"endpoint:{endpoint.pk}", False)]
    assert writers(project)[1].price_out == 4.0 and writers(project)[1].host == "127.0.0.1"


def test_another_projects_endpoint_is_not_there(outsider, endpoint):
    other = outsider.projects.get()
    assert writer_find(other, f"endpoint:{endpoint.pk}") is None
    with pytest.raises(ServingError, match="not there any more"):
        writer_access(other, f"endpoint:{endpoint.pk}")


def test_a_run_gets_the_key_in_its_environment_alone(project, endpoint):
    run = Run.objects.create(
        project=project, stage="generate_pairs", title="t", queue="default", params={"endpoint": f"endpoint:{endpoint.pk}"}
    )
    variables = engine_environment(run)
    assert (
        variables["STUDIO_CHAT_TOKEN"] == "sk-1"
        and variables["STUDIO_CHAT_REACH"] == "private"
        and variables["STUDIO_CHAT_MODEL"] == "big-1"
    )
    assert "sk-1" not in str(run.params)


def test_a_model_of_this_machine_is_reached_by_a_grant_for_it_alone(project, settings):
    base = made.base()
    access = writer_access(project, f"artifact:{base.pk}")
    assert access.url == settings.SERVE_URL and access.reach == "any"
    assert set(grants.check(settings.SERVE_SECRET, access.token).models) == {str(base.pk)}


def test_a_run_that_asks_no_model_gets_none(project):
    assert chat(Run(project=project, stage="augment_pairs", params={})).url == ""
