"""Which pairs a dataset version is cut from: a filter, kept with the version as it was."""

from typing import Any

from curation.filters import filter_read
from curation.models import PairStatus

APPROVED: dict[str, Any] = {"all": [{"field": "status", "op": "is", "value": PairStatus.APPROVED.value}]}


def canonical(tree: dict[str, Any] | None) -> dict[str, Any]:
    """The filter as it is kept: checked, written one way, the approved pairs where none is given. Raises ``FilterError``."""
    return filter_read(tree).tree() if tree else APPROVED
