"""Endpoints: only where it may go, the key sealed and never shown."""

import pytest
from django.urls import reverse

from projects.endpoints import EndpointError, endpoint_create, endpoint_key, endpoint_update
from projects.models import AuditEvent, Endpoint

pytestmark = pytest.mark.django_db
KEY = "sk-very-secret"
FIELDS = {"name": "Big model", "url": "http://127.0.0.1:9/v1", "model": "big-1", "allow_private": True, "price_in": 0.5, "price_out": 2.0}


def test_a_key_is_sealed_and_neither_shown_nor_logged(client_for, owner, project):
    client = client_for(owner)
    url = reverse("projects:endpoints", args=[project.slug])
    assert client.post(url, {**FIELDS, "key": KEY}).status_code == 302
    endpoint = Endpoint.objects.get()
    assert endpoint_key(endpoint) == KEY and KEY not in endpoint.api_key_encrypted
    pages = [client.get(url), client.get(reverse("projects:endpoint", args=[project.slug, endpoint.pk]))]
    assert all(KEY not in page.content.decode() and endpoint.api_key_encrypted not in page.content.decode() for page in pages)
    assert KEY not in str(list(AuditEvent.objects.values()))
    assert "Big model" in pages[0].content.decode()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://169.254.169.254/v1", "never asked"),
        ("http://[fe80::1]/v1", "never asked"),
        ("http://[::ffff:169.254.169.254]/v1", "never asked"),
        ("http://127.0.0.1:11434/v1", "inside your own network"),
        ("http://10.0.0.7/v1", "inside your own network"),
        ("http://user:pass@203.0.113.1/v1", "name and password"),
        ("http://no-such-host.invalid/v1", "cannot be found"),
    ],
)
def test_an_address_that_may_not_be_asked_is_refused_with_what_was_typed(client_for, owner, project, url, says):
    response = client_for(owner).post(reverse("projects:endpoints", args=[project.slug]), {**FIELDS, "url": url, "allow_private": ""})
    assert response.status_code == 422 and says in response.content.decode() and "Big model" in response.content.decode()
    assert not Endpoint.objects.exists()


def test_link_local_stays_out_of_reach_though_an_owner_allows_private_addresses(owner, project):
    with pytest.raises(EndpointError, match="never asked"):
        endpoint_create(project=project, by=owner, key="", **{**FIELDS, "url": "http://169.254.169.254/latest"})


def test_a_key_does_not_follow_the_address_to_another_host(owner, project):
    endpoint = endpoint_create(project=project, by=owner, key=KEY, **FIELDS)
    with pytest.raises(EndpointError) as caught:
        endpoint_update(endpoint=endpoint, by=owner, key="", **{**FIELDS, "url": "http://127.0.0.2/v1"})
    assert "key" in caught.value.fields
    changed = endpoint_update(endpoint=endpoint, by=owner, key="", **{**FIELDS, "model": "big-2"})
    assert changed.model == "big-2" and endpoint_key(changed) == KEY
    moved = endpoint_update(endpoint=endpoint, by=owner, key="another", **{**FIELDS, "url": "http://127.0.0.2/v1"})
    assert endpoint_key(moved) == "another"


def test_two_endpoints_have_two_names(client_for, owner, project):
    endpoint_create(project=project, by=owner, key="", **FIELDS)
    response = client_for(owner).post(reverse("projects:endpoints", args=[project.slug]), {**FIELDS, "key": ""})
    assert response.status_code == 422 and "of this name already" in response.content.decode()


def test_a_key_sealed_with_another_secret_is_asked_for_again(owner, project, settings):
    endpoint = endpoint_create(project=project, by=owner, key=KEY, **FIELDS)
    settings.SECRET_KEY = "another"
    with pytest.raises(EndpointError, match="Enter it again"):
        endpoint_key(endpoint)


def test_an_endpoint_is_removed(client_for, owner, project):
    endpoint = endpoint_create(project=project, by=owner, key=KEY, **FIELDS)
    client_for(owner).post(reverse("projects:endpoint_delete", args=[project.slug, endpoint.pk]))
    assert not Endpoint.objects.exists() and AuditEvent.objects.filter(action="endpoint.delete").exists()
