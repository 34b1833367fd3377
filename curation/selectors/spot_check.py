"""What a spot check has found: of the pairs drawn at random, how many were good as they were."""

from dataclasses import dataclass
from math import sqrt
from urllib.parse import urlencode

from django.urls import reverse

from curation.models import Pair, PairChange, PairStatus
from projects.models import AuditEvent, Project

SPOT_CHECK_TAG = "Spot check"
SPOT_CHECK_DRAWN = "quality.spot_check"  # in the log
Z = 1.959964  # of the normal distribution, for 95%


@dataclass(frozen=True)
class SpotCheck:
    """How many pairs were drawn, and how many of them people decided on since: approved as they were, approved after an edit, rejected."""

    drawn: int
    approved: int
    edited: int
    rejected: int
    waiting_url: str = ""

    @property
    def decided(self) -> int:
        return self.approved + self.edited + self.rejected

    @property
    def waiting(self) -> int:
        return self.drawn - self.decided

    @property
    def good(self) -> float:
        """The share of the decided that were good as they were, in %."""
        return 100 * self.approved / self.decided if self.decided else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Between what shares, in %, that of all pairs lies that it was drawn from, with 95% confidence."""
        low, high = wilson(self.approved, self.decided)
        return 100 * low, 100 * high


def wilson(hits: int, of: int) -> tuple[float, float]:
    """The 95% score interval (Wilson 1927) of a share, 0 to 1, of which ``hits`` among ``of`` were seen; all of it where none were."""
    if not of:
        return 0.0, 1.0
    share, spread = hits / of, Z * Z / of
    middle = (share + spread / 2) / (1 + spread)
    half = Z * sqrt(share * (1 - share) / of + spread / (4 * of)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def spot_check_of(project: Project) -> SpotCheck | None:
    """What became of the pairs drawn for spot checks, None where none was drawn. Three queries. What a rule decided counts as waiting."""
    first = AuditEvent.objects.filter(project=project, action=SPOT_CHECK_DRAWN).order_by("pk").values_list("at", flat=True).first()
    if first is None:
        return None
    drawn = list(Pair.objects.filter(project=project, tags__name=SPOT_CHECK_TAG).values_list("pk", "status", "decided_by_rule"))
    if not drawn:  # the tag was taken off
        return None
    reworded = PairChange.objects.filter(
        pair__project=project, pair__pair_tags__tag__name=SPOT_CHECK_TAG, at__gte=first, after__has_key="messages"
    )
    mended = set(reworded.values_list("pair_id", flat=True))
    approved = [pk for pk, status, rule in drawn if status == PairStatus.APPROVED and not rule]
    rejected = sum(status == PairStatus.REJECTED and not rule for _, status, rule in drawn)
    edited = sum(pk in mended for pk in approved)
    return SpotCheck(len(drawn), len(approved) - edited, edited, rejected, _waiting_url(project))


def _waiting_url(project: Project) -> str:
    asked = {"tag": SPOT_CHECK_TAG, "status": PairStatus.PENDING.value}
    return f"{reverse('curation:pairs', args=[project.slug])}?{urlencode(asked)}"
