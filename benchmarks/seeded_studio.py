"""A studio of its own in a temporary folder, with people and any number of pairs in it: what benchmarks of pages run on."""

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from benchmarks.python_topics import topic_pairs

TOPICS, TAGS, DOCUMENTS = 24, 12, 200
STATUSES = ["PENDING"] * 4 + ["APPROVED"] * 5 + ["REJECTED"] + ["CHANGES"]
BATCH = 2_000


@contextmanager
def studio() -> Iterator[Path]:
    """An empty studio on SQLite: Django is set up, the tables are there. Its folder goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="studio-benchmark-") as home:
        os.environ.update(STUDIO_HOME=home, DJANGO_SETTINGS_MODULE="dslm_studio.settings")
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        settings.ALLOWED_HOSTS = ["*"]
        call_command("migrate", verbosity=0)
        yield Path(home)


def project_with(pairs: int, seed: int = 7) -> Any:
    """A project with an owner and ``pairs`` pairs of mixed status, topic, tags and origin, made of the Python reference."""
    from projects.models import User
    from projects.services import project_create

    owner = User.objects.create_user("olivia@example.org", None, name="Olivia")
    project = project_create(name="Python reference", by=owner)
    pairs_seed(project, pairs, random.Random(seed))
    return project


def pairs_seed(project: Any, count: int, chance: random.Random) -> None:
    """Insert ``count`` pairs, a second apart."""
    from django.utils import timezone

    from curation.messages import messages_of
    from curation.models import Pair, PairTag
    from curation.services.tagging import tags_ensure
    from curation.services.writing import derived
    from retrieval.models import Document

    texts = [both for pairs in topic_pairs().values() for both in pairs]
    tags = list(tags_ensure(project=project, names=[f"tag {number}" for number in range(TAGS)]).values())
    documents = [Document(project=project, name=f"document-{number:03}.md", sha256="0" * 64) for number in range(DOCUMENTS)]
    Document.objects.bulk_create(documents)
    start = timezone.now() - timedelta(seconds=count)
    for first in range(0, count, BATCH):
        made = []
        for number in range(first, min(first + BATCH, count)):
            question, answer = texts[number % len(texts)]
            pair = Pair(
                project=project,
                **derived(messages_of(f"{question} ({number})", answer)),
                shape=chance.choice(["definition", "procedure", "free", "list"]),
                topic=chance.choice(["", *(f"topic {place}" for place in range(TOPICS))]),
                difficulty=chance.choice(["", "easy", "medium", "hard"]),
                language=chance.choice(["en", "en", "de", ""]),
                origin=chance.choice(["generated", "imported", "written"]),
                made_by="a benchmark",
                document_id=chance.choice(documents).pk,
                status=chance.choice(STATUSES),
                stale=chance.random() < 0.05,
            )
            made.append(pair)
        Pair.objects.bulk_create(made)
        for place, pair in enumerate(made):
            pair.created_at = start + timedelta(seconds=first + place)  # set by the database's clock on the way in
        Pair.objects.bulk_update(made, ["created_at"], batch_size=500)
        links = [PairTag(pair=pair, tag=tag) for pair in made for tag in chance.sample(tags, chance.randrange(3))]
        PairTag.objects.bulk_create(links)
