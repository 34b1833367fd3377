"""One change of many pairs: at once where they are few, else as a chore over the pairs as they were chosen."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from django.db.models import QuerySet

from curation.errors import PairError
from curation.labels import LABELS, label_checked
from curation.models import Chore, Pair, PairStatus, Tag
from curation.services import chores
from curation.services.assigning import assignable_check, pairs_assign
from curation.services.chores import Ended, chore_kind
from curation.services.chosen import Tick, ids_of, unwatched
from curation.services.deciding import pairs_decide_bulk
from curation.services.labelling import pairs_label, pairs_tag, pairs_untag
from curation.services.tagging import tag_named
from projects.models import Project, User

DECISIONS = {
    "approve": (PairStatus.APPROVED, "approved", "Approving {}"),
    "reject": (PairStatus.REJECTED, "rejected", "Rejecting {}"),
    "reopen": (PairStatus.PENDING, "back in review", "Taking {} back to review"),
}
DOING = {"tag": "Tagging {}", "untag": "Taking a tag off {}", "assign": "Assigning {}"}
ACTIONS = (*DECISIONS, *LABELS, *DOING)


@dataclass(frozen=True)
class Change:
    """One of ``ACTIONS``; ``value`` is the label, the tag's name or the person's key; ``described`` says of which pairs, for the log."""

    action: str
    value: str = ""
    described: str = ""

    @property
    def doing(self) -> str:
        """What it does to ``{}``, in words."""
        return DECISIONS[self.action][2] if self.action in DECISIONS else DOING.get(self.action, f"Setting the {self.action} of {{}}")


def pairs_change_begin(*, project: Project, by: User, pairs: QuerySet[Pair], change: Change, back: str = "") -> str | Chore:
    """Make ``change`` to ``pairs``: what was done in words, or the chore that does it where they are many.

    ``back`` is the address of the table they were chosen in. Raises ``PairError`` for a value that cannot be.
    """
    _check(project, change.action, change.value)
    ids = ids_of(project, pairs)
    if len(ids) <= chores.AT_ONCE:
        return pairs_change(project=project, by=by, pairs=ids, change=change)
    return chores.chore_begin(
        project=project,
        by=by,
        kind="pairs",
        title=change.doing.format(f"{len(ids):,} pairs"),
        params=asdict(change),
        ids=ids,
        link=back,
        link_words="See the table as it is now",
    )


def pairs_change(*, project: Project, by: User, pairs: Sequence[UUID], change: Change, tick: Tick = unwatched) -> str:
    """Make ``change`` to the pairs with these ids; what was done, in words. Raises ``PairError`` for a value that cannot be."""
    action, value, described = change.action, change.value, change.described
    if action in DECISIONS:
        status, word, _ = DECISIONS[action]
        return _said(pairs_decide_bulk(project=project, by=by, pairs=pairs, status=status, described=described, tick=tick), word)
    if action in LABELS:
        done = pairs_label(project=project, by=by, pairs=pairs, field=action, value=value, described=described, tick=tick)
        return _said(done, f"now {action} “{value.strip()}”" if value.strip() else f"now without {action}")
    if action == "tag":
        done = pairs_tag(project=project, by=by, pairs=pairs, name=value, described=described, tick=tick)
        return _said(done, f"tagged “{value.strip()}”")
    if action == "untag":
        done = pairs_untag(project=project, by=by, pairs=pairs, tag=_tag(project, value), described=described, tick=tick)
        return _said(done, f"no longer tagged “{value}”")
    person = _member(project, value)
    return _said(pairs_assign(project=project, by=by, to=person, pairs=pairs, tick=tick), f"assigned to {person}")


@chore_kind("pairs", can="review", told=(PairError,))
def _work(chore: Chore, tick: Tick) -> Ended:
    assert chore.by is not None  # whoever has left may not, and is not asked for
    return Ended(pairs_change(project=chore.project, by=chore.by, pairs=chore.ids, change=Change(**chore.params), tick=tick))


def _check(project: Project, action: str, value: str) -> None:
    """While the person waits, not when a worker gets to it."""
    if action in LABELS:
        label_checked(action, value)
    elif action == "tag":
        tag_named(project, value)
    elif action == "untag":
        _tag(project, value)
    elif action == "assign":
        assignable_check(project, _member(project, value))


def _said(done: int, word: str) -> str:
    return f"{done:,} {'pair' if done == 1 else 'pairs'} {word}." if done else f"Every one was {word} already."


def _tag(project: Project, name: str) -> Tag:
    tag = Tag.objects.filter(project=project, name=name).first()
    if tag is None:
        raise PairError("Choose a tag of this project to take away.")
    return tag


def _member(project: Project, key: str) -> User:
    person = User.objects.filter(memberships__project=project, pk=int(key)).first() if key.isdecimal() else None
    if person is None:
        raise PairError("Choose who the pairs are assigned to.")
    return person
