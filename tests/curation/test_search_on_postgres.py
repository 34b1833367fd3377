"""Searching on PostgreSQL, as the owner of a database who is no superuser: the index is made and used, the answers are the same."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from tests.postgres import postgres

pytestmark = pytest.mark.slow

SCRIPT = """
import django
django.setup()
from django.core.management import call_command
from uuid import uuid4
from django.db import connection, transaction
from django.utils import timezone
from curation.distinct import distinct_values
from curation.inserting import rows_insert
from curation.search_index import words_keys
from curation.filters import pairs_matching
from curation.models import Pair
from curation.searching import matching, near
from curation.messages import messages_of
from curation.services.writing import derived
from projects.models import User
from projects.services import project_create

call_command("migrate", verbosity=0)
project = project_create(name="P", by=User.objects.create_user("o@example.org", None))
words = [("How is the pump vented?", "Open the bleed screw."), ("What does the valve do?", "It keeps 3 % back."), ("Ölpumpe?", "No_thing.")]
Pair.objects.bulk_create(Pair(project=project, origin="written", **derived(messages_of(*both))) for both in words)
found = lambda q: sorted(Pair.objects.filter(q).values_list("question", flat=True))
print(found(matching("SCREW pump")), found(matching("ölpumpe")), found(matching("o_t")))
print(found(matching("3 %", "answer")), found(matching("screw", "question")))
print(found(near(project, "How is a pump vented by hand?", 5)))
print([pair.question for pair in pairs_matching(project, {"not": {"field": "any", "op": "contains", "value": "pump"}})])
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'curation_pair_words%' AND indexdef LIKE '%gin%'")
    print("indexes:", cursor.fetchone()[0])
    cursor.execute("SET enable_seqscan = off")
    print("used:", "curation_pair_words_turns" in Pair.objects.filter(matching("screw")).order_by().explain())

rows = [{"id": uuid4(), "created_at": timezone.now(), **derived(messages_of(f"Row {row}?", "Yes."))} for row in range(900)]
common = {"project": project, "origin": "imported"}
keys = words_keys(900)
with transaction.atomic():
    print("inserted:", rows_insert(Pair, rows[:1], common=common), rows_insert(Pair, rows, common=common), set(keys))
for pair in Pair.objects.filter(origin="written"):
    Pair.objects.filter(pk=pair.pk).update(topic=f"Topic {len(pair.question) % 2}", document_id=uuid4())
for name in ("topic", "document_id"):
    looked = Pair.objects.exclude(**{name: None}).order_by(name).values_list(name, flat=True).distinct()
    print(len(looked), "different:", distinct_values(project, name) == list(looked))
print("as given:", list(Pair.objects.filter(origin="imported").values_list("pk", flat=True)) == [row["id"] for row in rows])
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.mark.parametrize(("may_extend", "indexes"), [(True, 3), (False, 0)], ids=["as-owner", "without-the-right"])
def test_words_are_found_with_the_index_and_without(server: str, may_extend: bool, indexes: int) -> None:
    name = f"owner_{may_extend}".lower()
    with psycopg.connect(server, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN")
        admin.execute(f"CREATE DATABASE {name} OWNER {name if may_extend else 'studio'}")
        if not may_extend:
            with psycopg.connect(server.replace("/postgres?", f"/{name}?"), autocommit=True) as inside:
                inside.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {name}")
    url = server.replace("studio@", f"{name}@").replace("/postgres?", f"/{name}?")
    environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "dslm_studio.settings"}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "['How is the pump vented?'] ['Ölpumpe?'] ['Ölpumpe?']" and lines[1] == "['What does the valve do?'] []"
    assert lines[2] == "['How is the pump vented?', 'Ölpumpe?']" and lines[3] == "['What does the valve do?']"
    assert lines[4:6] == [f"indexes: {indexes}", f"used: {may_extend}"]
    assert lines[7:9] == ["3 different: True"] * 2
    assert [lines[6], *lines[9:]] == ["inserted: 1 899 {None}", "as given: True"]  # who is first keeps the row, and no pair needs a number
    assert ("pg_trgm cannot be created" in done.stderr) is not may_extend
