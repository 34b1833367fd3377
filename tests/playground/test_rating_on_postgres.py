"""Rated answers on PostgreSQL: many presses at once make one pair, and the reviewers' list is filtered by what was wrong."""

import os
import subprocess
import sys

import pytest

from tests.postgres import postgres

pytestmark = pytest.mark.slow

SCRIPT = """
import django
django.setup()
from concurrent.futures import ThreadPoolExecutor
from django.core.management import call_command
from django.db import connection
from curation.models import Pair
from curation.services import pair_create
from curation.services.from_chat import QuestionKnown
from playground.models import Feedback
from playground.selectors import rated_without_pair
from playground.services import answer_add, answer_make_pair, conversation_create, feedback_give, question_add
from projects.models import User
from projects.services import project_create
from runs.models import Artifact

call_command("migrate", verbosity=0)
owner = User.objects.create_user("o@example.org", None)
project = project_create(name="P", by=owner)
model = Artifact.objects.create(project=project, kind="gguf-model", uri="made/1", bytes=0, sha256="0" * 64, ready=True)

def rated(question, **told):
    talk = conversation_create(project=project, user=owner, model=model, question=question, with_documents=False)
    question_add(conversation=talk, text=question, with_documents=False)
    message = answer_add(conversation=talk, text="A sweet.", citations=[], with_documents=False, seconds=1.0, cut_off=False)
    return feedback_give(message=message, user=owner, good=False, **told)

first = rated("What is a suite?", correction="A group.", reasons=["wrong", "wording"])
rated("What is a clause?", reasons=["beside"])
found = lambda reason: [one.question for one in rated_without_pair(project, reason=reason)]
print(found("wording"), found("beside"), found("missing"))

def press(_):
    try:
        return answer_make_pair(feedback=Feedback.objects.get(pk=first.pk), by=owner).pk
    finally:
        connection.close()

with ThreadPoolExecutor(8) as pool:
    made = set(pool.map(press, range(24)))
print("pairs:", len(made), made == set(Pair.objects.values_list("pk", flat=True)))

pair_create(project=project, by=owner, question="What is a block?", answer="Some text.")
known = rated("What is a block?", correction="A piece of a program.")
try:
    answer_make_pair(feedback=known, by=owner)
except QuestionKnown as refused:
    known.message.refresh_from_db()
    print("refused:", refused.pair.question, known.message.pair)
"""


def test_many_presses_make_one_pair_and_lists_are_looked_into() -> None:
    with postgres() as url:
        environment = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "dslm_studio.settings"}
        done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "['What is a suite?'] ['What is a clause?'] []",
        "pairs: 1 True",
        "refused: What is a block? None",
    ]
