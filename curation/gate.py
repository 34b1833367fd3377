"""What the quality gate says of a dataset version that is to be cut: which of its reports counts, and whether it forbids the cut."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import QuerySet

from curation.filters import filter_read, filter_text
from curation.models import Pair, QualityReport
from curation.selecting import APPROVED, canonical
from curation.selectors.quality import is_outdated, reports_of
from projects.models import Membership, Project, User
from projects.roles import CAPABILITIES

VERDICTS = dict(QualityReport._meta.get_field("verdict").flatchoices)


@dataclass(frozen=True)
class Gate:
    """The report that counts for cutting the pairs of ``tree``, None where the gate was never run: the newest of that very filter, or where
    there is none, the newest of the project. So what failed is not let through by a look at a few others. It forbids a cut when it failed,
    however long ago that was: pairs that were mended since are no reason to pass until it has looked at them.
    """

    report: QualityReport | None
    tree: dict[str, Any]
    own: bool = False  # whether it was about this filter
    current: bool = False  # whether the pairs it looked at are those to be cut, and unchanged

    @property
    def failed(self) -> bool:
        return self.report is not None and self.report.verdict == "fail"

    @property
    def filter_text(self) -> str:
        """What is to be cut, as it travels in an address."""
        return filter_text(filter_read(self.tree))

    @property
    def words(self) -> str:
        """What to say of it, in one or two sentences."""
        if self.report is None:
            return "The quality gate has not looked at these pairs yet."
        these = "these pairs" if self.own or self.current else "other pairs"
        count = len(failed_checks(self.report.report))
        checks = f" in {count} {'check' if count == 1 else 'checks'}" if count else ""
        said = {
            "pass": f"The quality gate passed {these}.",
            "warn": f"The quality gate passed {these} with warnings.",
            "fail": f"The quality gate failed{checks}{'' if these == 'these pairs' else ', looking at other pairs'}.",
        }[self.report.verdict]
        if self.current:
            return said
        return f"{said} {'The pairs have changed since, or not all are to be cut.' if self.own else 'It has not looked at these yet.'}"

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


def last_gate(project: Project, pairs: QuerySet[Pair], tree: dict[str, Any] | None = None) -> Gate:
    """The report that counts for cutting ``tree``, and whether it was about exactly ``pairs``, which are of that filter, as they are now.

    Raises ``FilterError`` for a tree that cannot be read.
    """
    gate = _counting(project, tree)
    return replace(gate, current=gate.report is not None and gate.report.fingerprint == fingerprint(pairs))


def last_gate_seen(project: Project, tree: dict[str, Any] | None = None) -> Gate:
    """The same for a page that only warns: quick with any number of pairs, where ``last_gate`` reads them all."""
    gate = _counting(project, tree)
    return replace(gate, current=gate.own and gate.report is not None and not is_outdated(gate.report))


def _counting(project: Project, tree: dict[str, Any] | None) -> Gate:
    tree = canonical(tree)
    newest_first = list(reports_of(project).values_list("pk", "tree"))
    own = next((pk for pk, its in newest_first if (its or APPROVED) == tree), None)
    counts = own or next((pk for pk, _ in newest_first), None)
    report = reports_of(project).select_related("project").filter(pk=counts).first() if counts else None
    return Gate(report, tree, own is not None)


def fingerprint(pairs: QuerySet[Pair]) -> str:
    """Of the pairs' ids and revisions."""
    found = hashlib.sha256()
    for pk, revision in pairs.order_by("pk").values_list("pk", "revision").iterator(5_000):
        found.update(b"%s %d\n" % (pk.bytes, revision))
    return found.hexdigest()
