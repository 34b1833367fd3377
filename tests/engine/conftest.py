from collections.abc import Iterator

import pytest

from tests.engine.preference_kit import prefer, preferences, reward_model, tiny_model  # noqa: F401
from tests.engine.serving import Serving, serving
from tests.engine.stage_running import base_model, dataset_of, engine_run, topics, trained  # noqa: F401
from tests.engine.teaching import reference, teacher, tiny_student, tiny_teacher  # noqa: F401


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """One `engine serve` for all tests."""
    with serving() as started:
        yield started
