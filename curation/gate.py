"""What the last look of the quality gate means for a dataset version that is to be cut."""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from curation.models import Pair, QualityReport
from curation.selectors.quality import is_outdated, reports_of
from projects.models import Membership, Project, User
from projects.roles import CAPABILITIES

VERDICTS = dict(QualityReport._meta.get_field("verdict").flatchoices)


@dataclass(frozen=True)
class Gate:
    """The project's last report, None where the gate was never run. It forbids a cut when it failed, however long ago that was:
    pairs that were mended since are no reason to pass until it has looked at them.
    """

    report: QualityReport | None
    current: bool = False  # whether the pairs it looked at are those to be cut, and unchanged

    @property
    def failed(self) -> bool:
        return self.report is not None and self.report.verdict == "fail"

    @property
    def words(self) -> str:
        """What to say of it, in one or two sentences."""
        if self.report is None:
            return "The quality gate has not looked at these pairs yet."
        count = len(failed_checks(self.report.report))
        checks = f" in {count} {'check' if count == 1 else 'checks'}" if count else ""
        said = {
            "pass": "The quality gate passed these pairs.",
            "warn": "The quality gate passed these pairs with warnings.",
            "fail": f"The quality gate failed{checks}.",
        }[self.report.verdict]
        return said if self.current else f"{said} The pairs have changed since, or others are to be cut."

    def frozen(self) -> dict[str, Any]:
        """What a version keeps of it: the report as it stood, its id, and whether it was about exactly these pairs. Empty for none."""
        if self.report is None:
            return {}
        return {**self.report.report, "verdict": self.report.verdict, "id": str(self.report.pk), "current": self.current}


def failed_checks(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [check for check in report.get("checks", []) if check.get("verdict") == "fail"]


def last_report(project: Project) -> QualityReport | None:
    """The newest whole report."""
    return reports_of(project).select_related("project").first()


def may_override(project: Project, user: User | None) -> bool:
    """Whether ``user`` may cut a version although the gate has failed: owners may."""
    return user is not None and Membership.objects.filter(project=project, user=user, role__in=CAPABILITIES["own"]).exists()


def last_gate(project: Project, pairs: QuerySet[Pair]) -> Gate:
    """The last report, and whether it was about exactly ``pairs`` as they are now."""
    report = last_report(project)
    return Gate(report, report is not None and report.fingerprint == fingerprint(pairs))


def last_gate_seen(project: Project) -> Gate:
    """The last report for a page that only warns: quick with any number of pairs, where ``last_gate`` reads them all."""
    report = last_report(project)
    return Gate(report, report is not None and not is_outdated(report))


def fingerprint(pairs: QuerySet[Pair]) -> str:
    """Of the pairs' ids and revisions."""
    found = hashlib.sha256()
    for pk, revision in pairs.order_by("pk").values_list("pk", "revision").iterator(5_000):
        found.update(b"%s %d\n" % (pk.bytes, revision))
    return found.hexdigest()
