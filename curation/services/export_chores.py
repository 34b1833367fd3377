"""Files of many pairs: a worker writes them, and they lie ready to be downloaded for a day."""

import contextlib
import time
from dataclasses import asdict, dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.http import QueryDict
from django.utils import timezone

from curation.filters import FilterError
from curation.models import Chore, ChoreState, DatasetVersion
from curation.models.chore import EXPORTS_FOLDER, LIVE
from curation.query import Query
from curation.selectors.pairs import pairs_of
from curation.services.chores import Ended, chore_begin, chore_kind
from curation.services.chosen import Tick
from curation.services.cutting import DatasetError
from curation.services.dataset_files import ZIP, ZIP_TYPE, split_export, version_zip
from curation.services.exporting import EXPORTS, ExportError, ExportFile, ExportFormat, pairs_export
from projects.models import Project, User

KIND = "export"
KEPT = timedelta(days=1)


@dataclass(frozen=True)
class Wanted:
    """Which file: of the pairs that the table's address ``query`` means, of a ``split`` of the version ``number``, or the whole of it."""

    format: str
    query: str = ""
    number: int = 0
    split: str = ""


def pairs_export_begin(*, project: Project, by: User, query: str, count: int, format: ExportFormat, back: str = "") -> Chore:
    """Have the ``count`` pairs that ``query``, an address's, means written into a file. ``back`` is the page that offers the formats."""
    return _begin(project, by, Wanted(format.key, query=query), f"Writing {count:,} pairs as {format.title}", count, back)


def split_export_begin(*, version: DatasetVersion, split: str, by: User, format: ExportFormat) -> Chore:
    """Have one split written into a file."""
    title, count = f"Writing {split} of {str(version).lower()} as {format.title}", version.counts[split]
    return _begin(version.project, by, Wanted(format.key, number=version.number, split=split), title, count, version.get_absolute_url())


def version_zip_begin(*, version: DatasetVersion, by: User) -> Chore:
    """Have a whole version packed."""
    title, count = f"Packing {str(version).lower()} as a zip", sum(version.counts.values())
    return _begin(version.project, by, Wanted(ZIP, number=version.number), title, count, version.get_absolute_url())


def media_type_of(chore: Chore) -> str:
    """Of the file that it wrote."""
    key = Wanted(**chore.params).format
    return ZIP_TYPE if key == ZIP else EXPORTS[key].media_type


def _begin(project: Project, by: User, wanted: Wanted, title: str, total: int, back: str) -> Chore:
    words = "Back to the version" if wanted.format == ZIP else "Choose another format"
    return chore_begin(project=project, by=by, kind=KIND, title=title, params=asdict(wanted), total=total, link=back, link_words=words)


@chore_kind(KIND, can="view", told=(ExportError, DatasetError, FilterError))
def _work(chore: Chore, tick: Tick) -> Ended:
    chore.path.parent.mkdir(parents=True, exist_ok=True)
    made = _made(chore, Wanted(**chore.params), tick)
    made.file.close()
    return Ended(f"{made.name} with {made.pairs:,} pairs is ready. It is kept for a day.", file=made.name)


def _made(chore: Chore, wanted: Wanted, tick: Tick) -> ExportFile:
    assert chore.by is not None  # whoever has left is not asked for
    if wanted.number:
        version = DatasetVersion.objects.select_related("project", "artifact").get(project=chore.project, number=wanted.number)
        if wanted.format == ZIP:
            return version_zip(version=version, by=chore.by, into=chore.path, tick=tick)
        format = EXPORTS[wanted.format]
        return split_export(version=version, split=wanted.split, format=format, by=chore.by, into=chore.path, tick=tick)
    query = Query.from_get(QueryDict(wanted.query))
    return pairs_export(
        project=chore.project,
        by=chore.by,
        pairs=pairs_of(chore.project, query),
        format=EXPORTS[wanted.format],
        described=query.described(),
        into=chore.path,
        tick=tick,
    )


def exports_forget(*, project: Project, why: str) -> None:
    """Remove the project's files, and end what writes one: they hold words that are to be erased. Idempotent."""
    exports = Chore.objects.filter(project=project, kind=KIND)
    # ended here, not asked to: what its worker has written by then, it removes itself
    exports.filter(state__in=LIVE).update(state=ChoreState.STOPPED, message=why, ended_at=timezone.now())
    _remove(exports.exclude(file=""), why)


def _remove(exports: QuerySet[Chore], why: str) -> None:
    for chore in exports:
        chore.path.unlink(missing_ok=True)
    exports.update(file="", message=why)


def exports_expire() -> None:
    """Remove the files that were kept for ``KEPT``, and what nobody knows any more."""
    _remove(Chore.objects.filter(ended_at__lt=timezone.now() - KEPT).exclude(file=""), "The file was kept for a day. Export again.")
    folder = settings.ARTIFACT_ROOT / EXPORTS_FOLDER
    if folder.is_dir():
        for path in folder.iterdir():
            with contextlib.suppress(OSError):  # another scheduler was quicker
                if path.stat().st_mtime < time.time() - 2 * KEPT.total_seconds():
                    path.unlink()
