"""What mends a finding of the quality gate, at one press, for every pair of a check at once."""

import random
from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db.models import QuerySet

from curation.errors import PairError
from curation.models import Finding, Pair, PairStatus, PairTag, QualityReport
from curation.services.deciding import pairs_decide_bulk
from curation.services.tagging import tags_ensure
from engine.lib.connected import connected
from projects import audit
from projects.models import User
from retrieval.batches import BATCH, batched

SPOT_CHECK, SPOT_CHECK_TAG = 50, "Spot check"
REJECTING = {"reject", "keep_best", "reject_leaks"}
ACTIONS = {"send_to_review", "spot_check", *REJECTING}


def finding_remedy(*, report: QualityReport, by: User, check: str, action: str) -> int:
    """Do ``action`` to the pairs that ``check`` found; to how many.

    - ``reject``, ``reject_leaks``: the pairs found are rejected (of a leak, those held out).
    - ``keep_best``: of each group that says the same, all but the best are rejected.
    - ``send_to_review``: they wait for review again, with a tag of the check's title.
    - ``spot_check``: ``SPOT_CHECK`` of them, drawn at random, wait for review with a tag.

    Raises ``PairError`` for an action that does not mend this check.
    """
    told = next((one for one in report.report["checks"] if one["key"] == check), None)
    if told is None or action not in ACTIONS or (told.get("remedy") or {}).get("action") not in (action, *_softer(action)):
        raise PairError("This is not what mends that check. Open the report again.")
    findings = report.findings.filter(check_key=check)
    described = f"{check} of report {report.pk}"
    if action == "keep_best":
        return _decided(report, by, copies(findings), PairStatus.REJECTED, described)
    found = sorted(set(findings.values_list("pair_id", flat=True)))
    if action in REJECTING:
        return _decided(report, by, found, PairStatus.REJECTED, described)
    name = str(told["title"])
    if action == "spot_check":
        name = SPOT_CHECK_TAG
        found = random.Random(str(report.pk)).sample(found, min(SPOT_CHECK, len(found)))
    _tagged(report, found, name)
    _decided(report, by, found, PairStatus.PENDING, described)
    audit.record(report.project, by, f"quality.{action}", described, after={"count": len(found), "tag": name})
    return len(found)


def _softer(action: str) -> Iterable[str]:
    """Remedies in place of which ``action`` may be chosen, too: a look at what would be rejected."""
    return REJECTING if action == "send_to_review" else ()


def _decided(report: QualityReport, by: User, pairs: Sequence[UUID], status: PairStatus, described: str) -> int:
    """Rejecting spares what was rejected already; review takes back what was decided, never what was rejected."""
    done = 0
    for some in batched(pairs):
        those = Pair.objects.filter(pk__in=some)
        if status == PairStatus.PENDING:
            those = those.exclude(status=PairStatus.REJECTED)
        done += pairs_decide_bulk(project=report.project, by=by, pairs=those, status=status, described=described)
    return done


def _tagged(report: QualityReport, pairs: Sequence[UUID], name: str) -> None:
    tag = next(iter(tags_ensure(project=report.project, names=[name]).values()))
    there = set(PairTag.objects.filter(tag=tag).values_list("pair_id", flat=True))
    PairTag.objects.bulk_create((PairTag(pair_id=pk, tag=tag) for pk in pairs if pk not in there), batch_size=BATCH, ignore_conflicts=True)


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
