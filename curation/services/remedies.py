"""What mends a finding of the quality gate, at one press, for every pair of a check at once: as a chore where they are many."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from django.db.models import QuerySet

from curation.errors import PairError
from curation.models import Chore, Finding, Pair, PairStatus, QualityReport
from curation.selectors.spot_check import SPOT_CHECK_TAG
from curation.services import chores
from curation.services.chores import Ended, chore_kind
from curation.services.chosen import Tick, go_on, unwatched
from curation.services.deciding import pairs_decide_bulk
from curation.services.retagging import pairs_retag
from curation.services.tagging import tags_ensure
from engine.lib.connected import connected
from projects import audit
from projects.models import Project, User
from retrieval.batches import batched

KIND = "remedy"
SPOT_CHECK = 50
REJECTING = {"reject", "keep_best", "reject_leaks"}
ACTIONS = {"send_to_review", "spot_check", *REJECTING}


@dataclass(frozen=True)
class Remedy:
    """What is done to what the ``check`` of a ``report`` (its id) found: it is rejected, or waits for review again with a ``tag``."""

    action: str
    report: str
    check: str
    tag: str = ""

    @property
    def described(self) -> str:
        """Which pairs, for the log."""
        return f"{self.check} of report {self.report}"

    @property
    def word(self) -> str:
        return "rejected" if self.action in REJECTING else "sent to review"

    def doing(self, pairs: int, check: str) -> str:
        """What it does to what the check with the title ``check`` found, in words."""
        found = f"{pairs:,} pairs that “{check}” found"
        if self.action == "keep_best":
            return f"Keeping the best of {found}"
        return f"Rejecting {found}" if self.action in REJECTING else f"Sending {found} to review"


def finding_remedy_begin(*, report: QualityReport, by: User, check: str, action: str) -> str | Chore:
    """Do ``action`` to the pairs that ``check`` found: what was done in words, or the chore that does it where they are many.

    - ``reject``, ``reject_leaks``: the pairs found are rejected (of a leak, those held out).
    - ``keep_best``: of each group that says the same, all but the best are rejected.
    - ``send_to_review``: they wait for review again, with a tag of the check's title; what was rejected stays so.
    - ``spot_check``: ``SPOT_CHECK`` of them, drawn at random, wait for review with a tag.

    Raises ``PairError`` for an action that does not mend this check.
    """
    told = next((one for one in report.report["checks"] if one["key"] == check), None)
    if told is None or action not in ACTIONS or (told.get("remedy") or {}).get("action") not in (action, *_softer(action)):
        raise PairError("This is not what mends that check. Open the report again.")
    title = str(told["title"])
    tag = "" if action in REJECTING else SPOT_CHECK_TAG if action == "spot_check" else title
    remedy = Remedy(action, str(report.pk), check, tag)
    found = _found(report, check, action)
    if len(found) <= chores.AT_ONCE:
        return _mended(report.project, by, found, remedy)
    return chores.chore_begin(
        project=report.project,
        by=by,
        kind=KIND,
        title=remedy.doing(len(found), title),
        params=asdict(remedy),
        ids=found,
        link=report.get_absolute_url(),
        link_words="See the report as it is now",
    )


def _softer(action: str) -> Iterable[str]:
    """Remedies in place of which ``action`` may be chosen, too: a look at what would be rejected."""
    return REJECTING if action == "send_to_review" else ()


def _found(report: QualityReport, check: str, action: str) -> list[UUID]:
    """The pairs that ``action`` is about: all that were found and are not rejected yet, or the sample of a spot check."""
    findings = report.findings.filter(check_key=check)
    if action == "spot_check":  # the same ones when it is pressed again
        found = sorted(set(findings.values_list("pair_id", flat=True)))
        return random.Random(str(report.pk)).sample(found, min(SPOT_CHECK, len(found)))
    return sorted(set(findings.exclude(pair__status=PairStatus.REJECTED).values_list("pair_id", flat=True)))


@chore_kind(KIND, can="review", told=(PairError,))
def _work(chore: Chore, tick: Tick) -> Ended:
    assert chore.by is not None  # whoever has left may not, and is not asked for
    return Ended(_mended(chore.project, chore.by, chore.ids, Remedy(**chore.params), tick))


def _mended(project: Project, by: User, found: Sequence[UUID], remedy: Remedy, tick: Tick = unwatched) -> str:
    """Do it, batch by batch; what was done, in words. Raises ``Stopped`` when ``tick`` wants an end before the first one."""
    if remedy.action in REJECTING:
        if remedy.action == "keep_best":
            go_on(tick, 0, "Looking for the best of each group")
            found = copies(Finding.objects.filter(report=UUID(remedy.report), check_key=remedy.check))
            go_on(tick, 0)
        described = remedy.described
        done = pairs_decide_bulk(project=project, by=by, pairs=found, status=PairStatus.REJECTED, described=described, tick=tick)
    else:
        done = _sent_to_review(project, by, found, remedy, tick)
    if not done:
        return f"None was left to be {remedy.word}."
    return f"{done:,} {'pair' if done == 1 else 'pairs'} {remedy.word}. Check again to see the difference."


def _sent_to_review(project: Project, by: User, pairs: Sequence[UUID], remedy: Remedy, tick: Tick) -> int:
    """Tag each batch as it is taken back, so that a stop leaves no tag on what was not. How many wait now with the tag."""
    tag = next(iter(tags_ensure(project=project, names=[remedy.tag]).values()))
    sent = 0

    def tagged(some: Sequence[UUID]) -> None:
        nonlocal sent
        pairs_retag(by=by, pairs=some, put=tag)
        sent += len(some)

    pairs_decide_bulk(
        project=project,
        by=by,
        pairs=pairs,
        status=PairStatus.PENDING,
        described=remedy.described,
        tick=tick,
        sparing=[PairStatus.REJECTED],
        with_each=tagged,
    )
    audit.record(project, by, f"quality.{remedy.action}", remedy.described, after={"count": sent, "tag": remedy.tag})
    return sent


def copies(findings: QuerySet[Finding]) -> list[UUID]:
    """Of each group that hangs together by ``findings``, all but the best: what would be rejected."""
    links = [(pair, other) for pair, other in findings.values_list("pair_id", "other") if other]
    facts = {}
    for some in batched({pk for link in links for pk in link}):
        facts.update({pair.pk: pair for pair in Pair.objects.filter(pk__in=some).only(*_WORTH)})
    worse: list[UUID] = []
    for group in connected(links):
        kept = [facts[pk] for pk in group if pk in facts and facts[pk].status != PairStatus.REJECTED]
        best = max(kept, key=worth, default=None)
        worse += [pair.pk for pair in kept if pair is not best]
    return sorted(worse)


_WORTH = ("status", "decided_by_rule", "edited", "document_id", "stale", "answer_length", "created_at")


def worth(pair: Pair) -> tuple[bool, bool, bool, bool, bool, int, float]:
    """What makes one of several like pairs the best: approved, by a person, not stale, mended by hand, with a source, longer, older."""
    approved = pair.status == PairStatus.APPROVED
    by_person = approved and not pair.decided_by_rule
    age = -pair.created_at.timestamp()
    return approved, by_person, not pair.stale, pair.edited, pair.document_id is not None, pair.answer_length, age
