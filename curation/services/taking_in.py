"""Taking in the pairs that a run made, whether generated, imported or augmented."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from curation.documents import erased_among, version_texts
from curation.imported_before import imported_before, row_digest
from curation.inserting import rows_insert
from curation.models import CollectionSettings, Origin, Pair, PairTag
from curation.search_index import words_keys
from curation.services.erasing import evidence_erase
from curation.services.tagging import NAME_LIMIT, tags_ensure
from curation.services.writing import derived
from curation.sources import Source
from engine.lib.pair_rows import PAIRS_FILE, PairRow, RowError
from projects import audit
from projects.models import Project
from projects.services import project_touch
from retrieval.batches import batched
from retrieval.jsonl import read_rows
from runs.artifacts import artifact_path
from runs.models import Artifact

Made = tuple[PairRow, dict[str, Any]]  # a row of the file, and the values of its pair that others do not share


def pairs_take_in(artifact: Artifact) -> dict[str, int]:
    """Bring a ``pairs`` artifact into the table, in batches of one transaction each. Idempotent: what is there stays as it is.

    Unless the artifact was imported, a row counts only if each of its sources stands in its document at its offsets and its question is
    new to the project. Of an import that is done again, the rows that came in before are known. Answers how many rows were new, known and
    refused.
    """
    counts = {"new": 0, "known": 0, "refused": 0}
    if artifact.facts.get("preview"):  # to be looked at first: it comes in with the rest, when somebody has the rest made
        return counts
    into, before = _Into.of(artifact), imported_before(artifact)
    versions: set[str] = set()
    for lines in batched(enumerate(read_rows(artifact_path(artifact) / PAIRS_FILE), start=1)):
        fresh = [(number, line) for number, line in lines if not before or row_digest(line) not in before]
        rows = [(number, row) for number, line in fresh if (row := into.sound(line)) is not None]
        with transaction.atomic():
            new = into.insert(rows)
        counts["new"] += new
        counts["known"] += len(lines) - len(fresh) + len(rows) - new
        counts["refused"] += len(fresh) - len(rows)
        versions |= {version for _, line in lines for version in _versions(line)}
    # a document deleted while its pairs were made: its text is in what the run made
    evidence_erase(project=into.project, versions=erased_among(into.project, versions))
    if counts["new"] or counts["refused"]:
        by = artifact.produced_by.created_by if artifact.produced_by else None
        audit.record(into.project, by, "pairs.take_in", f"run {artifact.produced_by_id}", after=counts)
        project_touch(into.project)
    return counts


def _versions(line: dict[str, Any]) -> list[str]:
    """Which versions of documents a line quotes, whether it is taken in or not."""
    sources = line.get("sources", []) if "messages" in line else [line]
    return [str(source["version"]) for source in sources if isinstance(source, dict) and _is_uuid(source.get("version"))]


def _is_uuid(text: object) -> bool:
    try:
        UUID(str(text))
    except ValueError:
        return False
    return True


@dataclass
class _Into:
    """Where rows go, and what they have in common."""

    project: Project
    artifact: Artifact
    texts: Callable[[str], str]
    origin: Origin
    made_by: str
    common: dict[str, Any]

    @classmethod
    def of(cls, artifact: Artifact) -> "_Into":
        project = artifact.project
        assert project is not None
        collection = CollectionSettings.objects.filter(pk=project.pk).first()
        origin = Origin(artifact.facts.get("origin", Origin.GENERATED))
        return cls(
            project=project,
            artifact=artifact,
            texts=version_texts(project),
            origin=origin,
            made_by=str(artifact.facts.get("made_by") or (artifact.produced_by.stage if artifact.produced_by else "")),
            common={
                "project": project,
                "artifact": artifact,
                "origin": origin,
                "responses_left": collection.overlap if collection else 1,
                "created_by": artifact.produced_by.created_by if artifact.produced_by else None,
            },
        )

    def sound(self, line: dict[str, Any]) -> PairRow | None:
        """The line as a row, None for one that is no pair or quotes what does not stand in its document.

        An import may come from another project: sources that mean nothing here are kept in ``extra``, for its export.
        """
        try:
            row = PairRow.from_dict(line)
            holds = all(Source.from_dict(source).holds_in(self.texts(str(source["version"]))) for source in row.sources)
        except (RowError, KeyError, TypeError, ValueError, ValidationError):
            if self.origin != Origin.IMPORTED or not line.get("sources"):
                return None
            holds, row = False, PairRow.from_dict({**line, "sources": []})
        if not holds:
            if self.origin != Origin.IMPORTED:
                return None
            row.sources, row.extra = [], {**row.extra, "sources": line["sources"]}
        return row

    def insert(self, rows: Sequence[tuple[int, PairRow]]) -> int:
        """Insert those that are new; how many. Inside a transaction."""
        there = set(
            Pair.objects.filter(artifact=self.artifact, artifact_row__in=[n for n, _ in rows]).values_list("artifact_row", flat=True)
        )
        parents = self._known_parents(rows)
        made = [(row, self._pair(number, row, parents)) for number, row in rows if number not in there]
        if self.origin != Origin.IMPORTED:
            made = self._without_twins(made)
        for (_, pair), key in zip(made, words_keys(len(made)), strict=True):
            pair["words_key"] = key
        # whoever takes the same artifact in at this moment inserts the same rows: the constraint keeps one of each
        new = rows_insert(Pair, [pair for _, pair in made], common=self.common)
        self._tag(made if new == len(made) else self._inserted(made))
        return new

    def _without_twins(self, made: list[Made]) -> list[Made]:
        first = {pair["question_hash"]: (row, pair) for row, pair in reversed(made)}
        known = set(Pair.objects.filter(project=self.project, question_hash__in=first).values_list("question_hash", flat=True))
        return [both for key, both in reversed(first.items()) if key not in known]

    def _inserted(self, made: list[Made]) -> list[Made]:
        keys = set(Pair.objects.filter(pk__in=[pair["id"] for _, pair in made]).values_list("pk", flat=True))
        return [(row, pair) for row, pair in made if pair["id"] in keys]

    def _known_parents(self, rows: Sequence[tuple[int, PairRow]]) -> set[UUID]:
        asked = {row.parent for _, row in rows if row.parent and _is_uuid(row.parent)}
        return set(Pair.objects.filter(project=self.project, pk__in=asked).values_list("pk", flat=True)) if asked else set()

    def _pair(self, number: int, row: PairRow, parents: set[UUID]) -> dict[str, Any]:
        first = row.sources[0] if row.sources else None
        parent = UUID(row.parent) if row.parent and _is_uuid(row.parent) else None
        return {
            "id": uuid4(),
            "created_at": timezone.now(),
            **derived(row.messages),
            "rejected": row.rejected,
            "fork": row.fork,
            "shape": row.shape[:40],
            "topic": row.topic[:120],
            "language": row.language[:8],
            "difficulty": row.difficulty,
            "sources": [Source.from_dict(source).as_dict() for source in row.sources],
            "document_id": first["document"] if first else None,
            "version_id": first["version"] if first else None,
            "made_by": self._made_by(row),
            "parent_id": parent if parent in parents else None,
            "extra": row.extra,
            "artifact_row": number,
        }

    def _made_by(self, row: PairRow) -> str:
        return (f"{self.made_by}, line {row.line}" if row.line else self.made_by)[:200]

    def _tag(self, made: Sequence[Made]) -> None:
        names = {name for row, _ in made for name in row.tags}
        if not names:
            return
        tags = tags_ensure(project=self.project, names=names)
        keys = {name: tags[cut].pk for name in names if (cut := name[:NAME_LIMIT].strip())}
        links = [(pair["id"], key) for row, pair in made for key in {keys[name] for name in row.tags if name in keys}]
        rows_insert(PairTag, [{"pair_id": pair, "tag_id": tag} for pair, tag in links])
