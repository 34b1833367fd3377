"""What curation keeps. Import from here; each file holds one subject."""

from curation.models.chore import Chore, ChoreState
from curation.models.collecting import Assignment, Claim, CollectionSettings, Comment, Mention, Response, ResponseState, Verdict
from curation.models.importing import PairImport
from curation.models.pairs import Difficulty, Message, Origin, Pair, PairChange, PairStatus, PairTag, SavedFilter, Tag
from curation.models.quality import Finding, QualityReport
from curation.models.versions import DatasetVersion, Immutable

__all__ = [
    "Assignment",
    "Chore",
    "ChoreState",
    "Claim",
    "CollectionSettings",
    "Comment",
    "DatasetVersion",
    "Difficulty",
    "Finding",
    "Immutable",
    "Mention",
    "Message",
    "Origin",
    "Pair",
    "PairChange",
    "PairImport",
    "PairStatus",
    "PairTag",
    "QualityReport",
    "Response",
    "ResponseState",
    "SavedFilter",
    "Tag",
    "Verdict",
]
