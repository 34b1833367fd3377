"""Cutting a dataset version from a page: at once where the pairs are few, else by a worker."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django.urls import reverse

from curation.filters import FilterError, pairs_matching
from curation.gate import last_gate_seen
from curation.models import Chore, ChoreState, DatasetVersion, Tag
from curation.selecting import canonical
from curation.services import chores
from curation.services.chores import Ended, chore_kind
from curation.services.chosen import Tick, unwatched
from curation.services.cutting import DatasetError, dataset_version_cut, fractions_checked, override_checked
from curation.services.rehearsing import Rehearsal
from projects.models import Project, User

KIND = "cut"


@dataclass(frozen=True)
class Cut:
    """What a version is to be cut from, and how. ``tree`` is a filter, None for the approved pairs; ``tag`` is that of general data."""

    tree: dict[str, Any] | None
    fractions: tuple[float, float, float]
    seed: int
    licence: str = ""
    override_reason: str = ""
    tag: int | None = None
    percent: int = 0

    def rehearsal(self, project: Project) -> Rehearsal | None:
        """Raises ``DatasetError`` where the tag is gone."""
        if self.tag is None:
            return None
        tag = Tag.objects.filter(project=project, pk=self.tag).first()
        if tag is None:
            raise DatasetError("The tag of the general data is gone. Choose another.", "rehearsal_tag")
        return Rehearsal(tag, self.percent)


def dataset_version_begin(*, project: Project, by: User, cut: Cut, typed: Mapping[str, str]) -> DatasetVersion | Chore:
    """The version; where the pairs are many, the chore that cuts it. ``typed`` is what stood in the form, kept until it is cut.

    Raises ``FilterError`` and ``DatasetError``: for what can be told at once, now; for the rest, ``chore_run`` tells it.
    """
    total = pairs_matching(project, canonical(cut.tree)).count()
    if total <= chores.AT_ONCE:
        return _cut(project, by, cut)
    fractions_checked(cut.fractions)
    override_checked(project, by, last_gate_seen(project, cut.tree), cut.override_reason)
    cut.rehearsal(project)
    return chores.chore_begin(
        project=project,
        by=by,
        kind=KIND,
        title=f"Cutting a version from {total:,} pairs",
        params={"cut": asdict(cut), "typed": dict(typed)},
        total=total,
        link=f"{reverse('curation:datasets', args=[project.slug])}?again=1",
        link_words="Back to what you entered",
    )


def cut_typed(project: Project, by: User) -> tuple[dict[str, str], str] | None:
    """What ``by`` entered last for a version that came to nothing, and why it did not; None where there is no such."""
    failed = [ChoreState.FAILED, ChoreState.STOPPED, ChoreState.LOST]
    last = Chore.objects.filter(project=project, by=by, kind=KIND, state__in=failed).order_by("-created_at").first()
    return (last.params["typed"], last.message) if last else None


@chore_kind(KIND, can="build", told=(DatasetError, FilterError))
def _work(chore: Chore, tick: Tick) -> Ended:
    version = _cut(chore.project, chore.by, Cut(**chore.params["cut"]), tick)
    return Ended(f"{version} is cut.", version.get_absolute_url(), "Open it")


def _cut(project: Project, by: User | None, cut: Cut, tick: Tick = unwatched) -> DatasetVersion:
    return dataset_version_cut(
        project=project,
        by=by,
        seed=cut.seed,
        fractions=cut.fractions,
        tree=cut.tree,
        rehearsal=cut.rehearsal(project),
        licence=cut.licence,
        override_reason=cut.override_reason,
        tick=tick,
    )
