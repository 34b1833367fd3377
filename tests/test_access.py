"""Every address and every role: who gets in, who is refused. An address that this table does not know fails the test."""

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from dslm_studio.routing import websocket_urlpatterns
from projects.models import Membership, Project, User
from projects.roles import CAPABILITIES, Role
from projects.services import project_create
from runs.models import Run
from tests import one_of_each

# capability (or "public", "signed in", "admin") → addresses by name; "POST" after a name where it answers nothing else. What answers GET
# is asked by POST as well and has to refuse the same people, unless it takes no POST at all
TABLE: dict[str, str] = {
    "public": """healthz login password_reset password_reset_done password_reset_confirm password_reset_complete sign_in_link
        projects:invitation""",
    "signed in": """running compute compute_workers projects:list projects:new logout:POST profile password_change
        notifications notification_bell notification_open notifications_read:POST""",
    "admin": "people person_update:POST local_model_add:POST base_model_import:POST base_model_download:POST",
    "view": """projects:home projects:team projects:audit
        planning:plan
        retrieval:documents retrieval:document retrieval:file retrieval:export retrieval:search
        curation:pairs curation:pair curation:facets curation:filter curation:pair_similar curation:mentions curation:pairs_export
        curation:datasets curation:dataset curation:dataset_download
        curation:dataset_card curation:dataset_zip curation:dataset_export curation:dataset_compare curation:dataset_checks
        curation:quality curation:quality_report curation:quality_findings
        curation:chores curation:chore_stop:POST curation:chore_seen:POST curation:chore_file
        runs:list runs:queue runs:detail runs:log runs:events runs:metrics training:compare training:sweep
        catalogue:models catalogue:model catalogue:card_file
        evaluation:list evaluation:report evaluation:report_file evaluation:answers_file
        playground:chat playground:conversation
        playground:ask:POST playground:ask_again:POST playground:delete:POST playground:feedback:POST""",
    "annotate": """playground:rated_answer
        curation:filters curation:filter_change:POST curation:pair_new curation:pair_edit:POST curation:pair_comment:POST
        curation:annotate curation:annotate_next:POST curation:annotate_pair curation:annotate_draft:POST curation:annotate_send:POST
        curation:annotate_undo:POST curation:team curation:team_agreement""",
    "review": """playground:rated playground:rated_aside:POST
        curation:tags curation:tag_change:POST curation:pairs_review curation:pairs_bulk:POST curation:pair_decide:POST
    curation:pair_undo:POST
        curation:collected curation:approve_agreed:POST curation:responses
        curation:team_settings curation:team_assign:POST curation:team_unassign:POST curation:quality_remedy:POST""",
    "build": """planning:plan_save:POST
        retrieval:upload:POST retrieval:add_text retrieval:read:POST retrieval:bulk:POST retrieval:delete:POST retrieval:retry:POST
        retrieval:measure:POST
        retrieval:measure_stop:POST curation:pairs_generate curation:pairs_write curation:pairs_preview
        curation:pairs_augment curation:pairs_raft curation:imports curation:import_new:POST curation:import
        curation:import_errors curation:import_remove:POST curation:dataset_cut:POST curation:dataset_rehearsal:POST
        curation:quality_run:POST
        training:start training:method:POST training:check:POST training:batch:POST training:sweep_stop:POST training:sweep_go_on:POST
        runs:priority:POST runs:stop:POST runs:cancel:POST runs:resume:POST runs:rerun catalogue:download""",
    "own": """projects:invitation_create:POST projects:invitation_revoke:POST projects:member_role:POST projects:member_remove:POST
        projects:settings projects:delete:POST projects:endpoints projects:endpoint projects:endpoint_delete:POST""",
}
SOCKETS = {"ws/p/<slug:slug>/runs/<uuid:run_id>/": "view"}  # pattern → capability
NOT_ALLOWED = 405


def rows() -> list[tuple[str, str, str]]:
    """(capability, name, method) of every address in the table."""
    found = []
    for capability, names in TABLE.items():
        for name in names.split():
            methods = ["POST"] if name.endswith(":POST") else ["GET", "POST"]
            found += [(capability, name.removesuffix(":POST"), method) for method in methods]
    return found


ROWS = rows()
IN_A_PROJECT = [row for row in ROWS if row[0] in CAPABILITIES]


def patterns(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for item in resolver.url_patterns:
        if isinstance(item, URLResolver):
            yield from patterns(item, f"{prefix}{item.namespace}:" if item.namespace else prefix)
        else:
            yield f"{prefix}{item.name}", item


def address(name: str, slug: str) -> str:
    """The address of ``name`` in the project ``slug``, with ids that belong to nothing: guards come before lookups."""
    pattern = dict(patterns(get_resolver()))[name]
    samples = {"slug": slug, "uidb64": "MQ", "token": "no-such-token"}
    kwargs = {}
    for key, converter in pattern.pattern.converters.items():
        kind = type(converter).__name__
        kwargs[key] = samples.get(key) or (uuid.uuid4() if kind == "UUIDConverter" else 987654 if kind == "IntConverter" else "nothing")
    for resolver in get_resolver().url_patterns:  # prefixes such as p/<slug>/ belong to the resolver, not to the pattern
        if isinstance(resolver, URLResolver) and "slug" in str(resolver.pattern):
            kwargs.setdefault("slug", slug)
    try:
        return reverse(name, kwargs=kwargs)
    except Exception:
        kwargs["slug"] = slug
        return reverse(name, kwargs=kwargs)


def ask(client: Client, name: str, method: str, slug: str) -> int:
    return client.generic(method, address(name, slug)).status_code


def test_the_table_knows_every_address_and_no_other() -> None:
    assert {name for name, _ in patterns(get_resolver())} == {name for _, name, _ in ROWS}


@pytest.mark.django_db
@pytest.mark.parametrize(("capability", "name", "method"), [row for row in ROWS if row[0] != "public"])
def test_an_anonymous_user_is_sent_to_sign_in(capability: str, name: str, method: str, project: Project) -> None:
    response = Client().generic(method, address(name, project.slug))
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/sign-in/")


@pytest.mark.django_db
@pytest.mark.parametrize(("capability", "name", "method"), IN_A_PROJECT)
def test_a_user_of_another_project_finds_nothing(capability: str, name: str, method: str, project: Project, outsider: User) -> None:
    client = Client()
    client.force_login(outsider)
    status = ask(client, name, method, project.slug)
    assert status == 404 or (status, method) == (NOT_ALLOWED, "POST")


# Who may least and who may most are asked each time, those between them with the whole suite: a thousand requests take half a minute
@pytest.mark.django_db
@pytest.mark.parametrize(
    "role", [role if role in (Role.VIEWER, Role.OWNER) else pytest.param(role, marks=pytest.mark.slow) for role in Role]
)
@pytest.mark.parametrize(("capability", "name", "method"), IN_A_PROJECT)
def test_a_role_may_exactly_what_the_table_says(
    role: Role, capability: str, name: str, method: str, project: Project, member: Callable[[str], User]
) -> None:
    client = Client()
    client.force_login(member(role))
    status = ask(client, name, method, project.slug)
    assert (status == 403) == (role not in CAPABILITIES[capability]) or (status, method) == (NOT_ALLOWED, "POST")


@pytest.mark.django_db
@pytest.mark.parametrize(("capability", "name", "method"), [row for row in ROWS if row[0] == "admin"])
def test_only_an_administrator_gets_at_the_instance(capability: str, name: str, method: str, owner: User) -> None:
    client = Client()
    client.force_login(owner)
    assert ask(client, name, method, "") == 403
    User.objects.filter(pk=owner.pk).update(is_superuser=True)
    assert ask(client, name, method, "") in {200, 302, 404, 422}


@pytest.mark.django_db
def test_an_administrator_sees_no_project_they_are_not_in(project: Project) -> None:
    administrator = User.objects.create_superuser("admin@example.org", None)
    assert not Membership.objects.filter(user=administrator).exists()
    client = Client()
    client.force_login(administrator)
    assert client.get(reverse("projects:team", args=[project.slug])).status_code == 404


# --- objects of another project ---


def keys_of(name: str) -> set[str]:
    """What stands in the address beside the project's name."""
    return set(dict(patterns(get_resolver()))[name].pattern.converters) - {"slug"}


KEYED = [(name, method) for _, name, method in IN_A_PROJECT if keys_of(name)]


def test_there_is_an_object_for_every_address_with_a_key() -> None:
    assert set(one_of_each.ADDRESSES) == {name for name, _ in KEYED}


@pytest.mark.django_db
@pytest.mark.parametrize(("name", "method"), KEYED)
def test_what_belongs_to_another_project_is_not_there_under_ones_own(name: str, method: str, project: Project, owner: User) -> None:
    """The same person owns both projects, so that nothing but the project can be what refuses."""
    key = one_of_each.ADDRESSES[name](project, owner)
    words = {word: one_of_each.WORDS[word] for word in keys_of(name) - key.keys()}
    other = project_create(name="Another of mine", by=owner)
    client = Client()
    client.force_login(owner)

    def status(slug: str) -> int:
        url = reverse(name, kwargs={"slug": slug, **key, **words})
        if method == "GET":
            return client.get(url).status_code
        return client.post(url, one_of_each.SENT.get(name, {})).status_code

    there, here = status(other.slug), status(project.slug)
    assert here not in {403, 404}, "the object has to be found where it is, or the test shows nothing"
    assert there == 404 or (there, here, method) == (NOT_ALLOWED, NOT_ALLOWED, "POST")


# --- sockets ---


def test_the_table_knows_every_socket_and_no_other() -> None:
    assert {str(pattern.pattern) for pattern in websocket_urlpatterns} == set(SOCKETS)


@pytest.fixture
def run(project: Project, owner: User) -> Run:
    return Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", created_by=owner)


async def closed_with(pattern: str, user: Any, run: Run) -> int | None:
    """The code that the socket of ``pattern`` is closed with at once, or None where it stays open."""
    assert run.project is not None
    samples = {"slug": run.project.slug, "run_id": str(run.pk)}
    path = re.sub(r"<\w+:(\w+)>", lambda found: samples[found[1]], pattern)
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/{path}")
    communicator.scope["user"] = user
    await communicator.connect()
    if await communicator.receive_nothing(0.2):
        await communicator.disconnect()
        return None
    message = await communicator.receive_output()
    assert message["type"] == "websocket.close"
    return int(message["code"])


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("pattern", SOCKETS)
async def test_a_socket_opens_for_no_stranger(pattern: str, run: Run, outsider: User) -> None:
    assert await closed_with(pattern, AnonymousUser(), run) == 4404
    assert await closed_with(pattern, outsider, run) == 4404


@pytest.mark.asyncio
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("pattern", "capability"), SOCKETS.items())
async def test_a_socket_opens_for_exactly_the_roles_that_the_table_says(
    role: Role, pattern: str, capability: str, run: Run, member: Callable[[str], User]
) -> None:
    user = await sync_to_async(member)(role)
    assert await closed_with(pattern, user, run) == (None if role in CAPABILITIES[capability] else 4403)
