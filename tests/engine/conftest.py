from collections.abc import Iterator

import pytest

from tests.engine.serving import Serving, serving
from tests.engine.stage_running import base_model, dataset_of, engine_run, topics, trained  # noqa: F401


@pytest.fixture(scope="session")
def server() -> Iterator[Serving]:
    """One `engine serve` for all tests."""
    with serving() as started:
        yield started
