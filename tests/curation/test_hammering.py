"""Fifty annotators at once, on SQLite and on PostgreSQL: every pair gets the responses that are wanted of it, and no word is lost."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.curation.hammering import OVERLAP, PAIRS
from tests.materials import ROOT
from tests.postgres import postgres

pytestmark = pytest.mark.slow


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """(vendor, address) of an empty database."""
    if request.param == "sqlite":
        yield "sqlite", f"sqlite:///{tmp_path / 'studio.sqlite3'}"
        return
    with postgres() as url:
        yield "postgresql", url


def test_fifty_annotators_at_once_collect_exactly_what_is_wanted(database: tuple[str, str], tmp_path: Path) -> None:
    vendor, url = database
    environment = os.environ | {"DATABASE_URL": url, "STUDIO_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-m", "tests.curation.hammering"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-4000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["failed"] == []
    assert seen["database"] == vendor
    assert seen["responses_a_pair"] == [[OVERLAP, PAIRS]]
    assert (seen["sent"], seen["lost"], seen["unknown"]) == (OVERLAP * PAIRS, 0, 0)
    assert (seen["miscounted"], seen["places_off"], seen["claims"]) == (0, 0, 0)
