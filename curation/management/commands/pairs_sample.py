"""Print pairs drawn at random, to be read by somebody who has not seen them."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from curation.documents import document_names
from curation.selectors.pairs import pairs_sample
from projects.models import Project


class Command(BaseCommand):
    help = "Print pairs of a project drawn at random with a fixed seed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the project's short name, as in its address")
        parser.add_argument("--n", type=int, default=30, help="how many (30)")
        parser.add_argument("--seed", type=int, default=7, help="the same seed draws the same pairs (7)")

    def handle(self, *args: Any, **options: Any) -> None:
        project = Project.objects.filter(slug=options["slug"]).first()
        if project is None:
            known = ", ".join(Project.objects.values_list("slug", flat=True)) or "none yet"
            raise CommandError(f"There is no project {options['slug']!r}. There are: {known}.")
        names = document_names(project)
        for number, pair in enumerate(pairs_sample(project, count=options["n"], seed=options["seed"]), start=1):
            source = pair.source_list[0] if pair.sources else None
            where = names.get(pair.document_id, "a deleted document") if pair.document_id else "no document"
            page = f", page {source.page}" if source and source.page else ""
            self.stdout.write(f"{number}. [{pair.shape}] {pair.question}\n   {pair.answer}\n   ({where}{page})\n")
