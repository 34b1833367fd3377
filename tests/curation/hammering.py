"""Fifty annotators at once on a real database: run as a program, because they are processes and threads with connections of their own.

    DATABASE_URL=… STUDIO_HOME=… python -m tests.curation.hammering

Prints one line of JSON: what was sent and what the database holds at the end.
"""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

PEOPLE, PROCESSES, PAIRS, OVERLAP = 50, 5, 60, 3
SEED = 11
PATIENCE = 60  # seconds


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    if len(sys.argv) > 1:
        annotators(int(sys.argv[1]))
        return
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    prepare()
    command = [sys.executable, "-m", "tests.curation.hammering"]
    at_work = [subprocess.Popen([*command, str(number)], stdout=subprocess.PIPE) for number in range(PROCESSES)]
    answers = [json.loads(process.communicate(timeout=300)[0]) for process in at_work]
    assert all(process.returncode == 0 for process in at_work)
    print(json.dumps(counted(answers)))


def prepare() -> None:
    from curation.messages import messages_of
    from curation.models import CollectionSettings, Origin, Pair
    from curation.services.writing import derived
    from projects.models import Membership, User
    from projects.services import project_create

    owner = User.objects.create_user("owner@example.org")
    project = project_create(name="Hammered", by=owner)
    CollectionSettings.objects.create(project=project, overlap=OVERLAP)
    people = User.objects.bulk_create(User(email=f"person{number}@example.org", name=f"Person {number}") for number in range(PEOPLE))
    Membership.objects.bulk_create(Membership(project=project, user=user, role="annotator") for user in people)
    Pair.objects.bulk_create(
        Pair(project=project, origin=Origin.WRITTEN, responses_left=OVERLAP, **derived(messages_of(f"Question {number}?", "Answer.")))
        for number in range(PAIRS)
    )


def annotators(process: int) -> None:
    """A tenth of the people each, all at once, until nothing is left; what they sent, as JSON."""
    sent: list[tuple[str, str]] = []
    failed: list[str] = []
    people = range(process, PEOPLE, PROCESSES)
    threads = [threading.Thread(target=work, args=(number, sent, failed)) for number in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"sent": sent, "failed": failed}))


def work(number: int, sent: list[tuple[str, str]], failed: list[str]) -> None:
    """One person: takes pairs, saves drafts, sends, discards, skips, undoes, puts off; as people do, in no order."""
    from django.db import connection

    from curation.services.collecting import response_next
    from curation.services.responding import Said, response_discard, response_save, response_skip, response_submit, response_undo
    from projects.models import Project, User

    chance = random.Random(SEED + number)
    try:
        project, user = Project.objects.get(), User.objects.get(email=f"person{number}@example.org")
        response = next_or_wait(project, user)
        while response is not None:
            words = f"{user} on {response.pair_id}: {chance.random()}"
            said = Said("A question?", words, verdict="good")
            response = response_save(response=response, said=said, revision=response.revision)
            move = chance.random()
            if move < 0.05:
                response_skip(response=response, said=said, revision=response.revision)
            elif move < 0.1:
                response_discard(response=response, said=said, revision=response.revision)
                sent.append((str(response.pk), words))
            elif move < 0.2:
                response = response_next(project=project, by=user, leaving=response)
                continue
            else:
                response = response_submit(response=response, said=said, revision=response.revision)
                if move > 0.95:
                    response = response_undo(response=response)
                    response = response_submit(response=response, said=said, revision=response.revision)
                sent.append((str(response.pk), words))
            response = next_or_wait(project, user)
    except Exception as error:
        failed.append(repr(error))
    finally:
        connection.close()


def next_or_wait(project: Any, user: Any) -> Any:
    """The next response; nobody goes home while others may still skip what they are at."""
    from curation.models import Claim, Pair
    from curation.services.collecting import response_next

    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if response := response_next(project=project, by=user):
            return response
        if not Claim.objects.exists() and not Pair.objects.filter(responses_left__gt=0).exists():
            return None
        time.sleep(0.2)
    return None


def counted(answers: list[dict[str, list]]) -> dict[str, object]:
    """What was sent, and what the database says of it."""
    from django.db import connection
    from django.db.models import F

    from curation.models import Claim, Pair, Response
    from curation.selectors.collecting import DONE

    sent = {key: words for answer in answers for key, words in answer["sent"]}
    kept = {str(pk): answer for pk, answer in Response.objects.filter(state__in=DONE).values_list("pk", "answer")}
    counts = Counter(Response.objects.filter(state__in=DONE).values_list("pair", flat=True))
    return {
        "database": connection.vendor,
        "failed": [error for answer in answers for error in answer["failed"]],
        "sent": len(sent),
        "lost": sum(kept.get(key) != words for key, words in sent.items()),
        "unknown": len(kept.keys() - sent.keys()),
        "responses_a_pair": sorted(Counter(counts[pk] for pk in Pair.objects.values_list("pk", flat=True)).items()),
        "miscounted": sum(counts[pk] != collected for pk, collected in Pair.objects.values_list("pk", "collected")),
        "places_off": Pair.objects.exclude(responses_left=OVERLAP - F("collected")).count(),
        "claims": Claim.objects.count(),
    }


if __name__ == "__main__":
    main()
