"""The socket: refused to strangers, without gap or duplicate for members, whatever bells are lost."""

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import OperationalError

from dslm_studio.routing import websocket_urlpatterns
from projects.models import Membership, Project, User
from runs import consumers
from runs.doorbell import ring
from runs.models import Run, RunEvent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.asyncio]


@pytest.fixture
def run(project: Project, owner: User) -> Run:
    return Run.objects.create(project=project, stage="sft", title="Train", queue="gpu", created_by=owner)


def add_events(run: Run, first: int, last: int) -> None:
    RunEvent.objects.bulk_create(
        RunEvent(run=run, seq=seq, attempt=1, ts=0.0, type="log", data={"message": str(seq)}) for seq in range(first, last + 1)
    )


def socket(user: Any, run: Run, after: int = 0, slug: str = "") -> WebsocketCommunicator:
    from channels.routing import URLRouter

    assert run.project is not None
    communicator = WebsocketCommunicator(URLRouter(websocket_urlpatterns), f"/ws/p/{slug or run.project.slug}/runs/{run.pk}/?after={after}")
    communicator.scope["user"] = user
    return communicator


async def close_code(communicator: WebsocketCommunicator) -> int:
    await communicator.connect()
    message = await communicator.receive_output(5)
    assert message["type"] == "websocket.close"
    return int(message["code"])


async def receive(communicator: WebsocketCommunicator, upto: int) -> list[int]:
    """The numbers of the events that come, until ``upto`` did."""
    seqs: list[int] = []
    while not seqs or seqs[-1] < upto:
        message = await communicator.receive_json_from(timeout=10)
        seqs += [event["seq"] for event in message["events"]]
    return seqs


async def test_a_stranger_finds_nothing(run: Run, outsider: User) -> None:
    assert await close_code(socket(outsider, run)) == 4404


async def test_nobody_who_is_not_signed_in_finds_anything(run: Run) -> None:
    from django.contrib.auth.models import AnonymousUser

    assert await close_code(socket(AnonymousUser(), run)) == 4404


async def test_a_run_cannot_be_reached_through_another_project(run: Run, outsider: User) -> None:
    slug = await sync_to_async(lambda: outsider.projects.get().slug)()
    assert await close_code(socket(outsider, run, slug=slug)) == 4404


async def test_a_viewer_gets_what_was_said_before_and_what_comes(run: Run, viewer: User) -> None:
    await sync_to_async(add_events)(run, 1, 5)
    communicator = socket(viewer, run, after=2)
    assert (await communicator.connect())[0]
    assert await receive(communicator, 5) == [3, 4, 5]
    await sync_to_async(add_events)(run, 6, 8)
    await sync_to_async(ring)(run.pk, 8)
    assert await receive(communicator, 8) == [6, 7, 8]
    await communicator.disconnect()


async def test_a_lost_bell_loses_no_event(run: Run, viewer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "OWN_CLOCK", 0.2)
    communicator = socket(viewer, run)
    await communicator.connect()
    await asyncio.sleep(0.1)
    await sync_to_async(add_events)(run, 1, 3)  # and no bell
    assert await receive(communicator, 3) == [1, 2, 3]
    await communicator.disconnect()


async def test_many_watchers_with_cursors_of_their_own_each_get_every_event_once(run: Run, viewer: User) -> None:
    await sync_to_async(add_events)(run, 1, 3000)
    watchers = {after: socket(viewer, run, after=after) for after in (0, 10, 2500, 2999)}
    for communicator in watchers.values():
        await communicator.connect()
    await sync_to_async(add_events)(run, 3001, 3010)
    await sync_to_async(ring)(run.pk, 3010)
    for after, communicator in watchers.items():
        assert await receive(communicator, 3010) == list(range(after + 1, 3011))
        await communicator.disconnect()


async def test_who_is_taken_out_of_the_project_follows_its_runs_no_longer(run: Run, viewer: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "OWN_CLOCK", 0.1)
    communicator = socket(viewer, run)
    assert (await communicator.connect())[0]
    await sync_to_async(Membership.objects.filter(user=viewer).delete)()
    message = await communicator.receive_output(5)
    assert (message["type"], message.get("code")) == ("websocket.close", 4404)


async def test_a_watcher_is_let_go_when_events_cannot_be_read_so_that_it_comes_back(
    run: Run, viewer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> list[Any]:
        raise OperationalError("the database is away")

    monkeypatch.setattr("runs.feed.events_after", away)
    communicator = socket(viewer, run)
    assert (await communicator.connect())[0]
    message = await communicator.receive_output(5)
    assert (message["type"], message.get("code")) == ("websocket.close", 1011)


async def test_a_cursor_that_is_no_number_begins_at_the_first_event(run: Run, viewer: User) -> None:
    await sync_to_async(add_events)(run, 1, 2)
    communicator = socket(viewer, run, after="²")  # type: ignore[arg-type]
    assert (await communicator.connect())[0]
    assert await receive(communicator, 2) == [1, 2]
    await communicator.disconnect()


async def test_the_last_watcher_takes_the_feed_with_it(run: Run, viewer: User) -> None:
    from runs.feed import RunFeed

    communicator = socket(viewer, run)
    await communicator.connect()
    assert run.pk in RunFeed._feeds
    await communicator.disconnect()
    assert run.pk not in RunFeed._feeds
