"""A studio from before pairs had numbers that Django knows is brought up to date: everything is found, and goes on being found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.materials import ROOT

pytestmark = pytest.mark.slow

SCRIPT = """
import json
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from curation.models import Pair
from curation.searching import matching
from curation.services.writing import derived
from curation.messages import messages_of
from projects.models import User
from projects.services import project_create

def found(text):
    return sorted(Pair.objects.filter(matching(text)).values_list("question", flat=True))

def integrity():
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO curation_pair_words(curation_pair_words) VALUES ('integrity-check')")
        cursor.execute("PRAGMA integrity_check")
        return cursor.fetchone()[0]

call_command("migrate", verbosity=0)
project = project_create(name="P", by=User.objects.create_user("o@example.org", None))
for question in ("How is the pump vented?", "What does the valve do?"):
    Pair.objects.create(project=project, origin="written", **derived(messages_of(question, "By hand.")))
call_command("migrate", "curation", "0004", verbosity=0)
with connection.cursor() as cursor:  # as the studio made it then
    for statement in BEFORE:
        cursor.execute(statement)
call_command("migrate", verbosity=0)
seen = {"at once": found("the"), "sound": integrity()}
Pair.objects.filter(question__contains="valve").update(**derived(messages_of("What does the gasket do?", "It seals.")))
Pair.objects.create(project=project, origin="written", **derived(messages_of("Is the flange new?", "Yes.")))
Pair.objects.filter(question__contains="pump").delete()
seen |= {"later": found("the"), "edited away": found("valve"), "sound later": integrity()}
seen["numbers"] = sorted(Pair.objects.values_list("words_key", flat=True))
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'curation_pair'")
    seen["triggers"] = cursor.fetchone()[0]
print(json.dumps(seen))
"""
BEFORE = [
    "ALTER TABLE curation_pair ADD COLUMN words_key INTEGER",
    "UPDATE curation_pair SET words_key = 7 WHERE question LIKE '%pump%'",
    "UPDATE curation_pair SET words_key = 3 WHERE question LIKE '%valve%'",
    "INSERT INTO curation_pair_words(curation_pair_words) VALUES ('delete-all')",
    "INSERT INTO curation_pair_words(rowid, question, answer, turns) SELECT words_key, question, answer, '' FROM curation_pair",
    "CREATE UNIQUE INDEX curation_pair_words_key ON curation_pair(words_key)",
    "CREATE INDEX curation_pair_words_order ON curation_pair(project_id, created_at, id, words_key)",
    """CREATE TRIGGER curation_pair_words_insert AFTER INSERT ON curation_pair BEGIN
        UPDATE curation_pair SET words_key = (SELECT max(words_key) + 1 FROM curation_pair) WHERE id = NEW.id; END""",
]


def test_a_studio_from_before_finds_everything_after_its_migration(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studio.sqlite3'}"
    environment = os.environ | {"DATABASE_URL": url, "STUDIO_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "dslm_studio.settings"}
    command = [sys.executable, "-c", f"BEFORE = {BEFORE!r}\n{SCRIPT}"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-4000:]
    assert json.loads(done.stdout) == {
        "at once": ["How is the pump vented?", "What does the valve do?"],
        "later": ["Is the flange new?", "What does the gasket do?"],
        "edited away": [],
        "numbers": [2, 3],
        "triggers": 5,
        "sound": "ok",
        "sound later": "ok",
    }
