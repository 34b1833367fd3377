"""A pair from an answer in chat: what of it is kept, and when there is none."""

from typing import Any
from uuid import uuid4

import pytest

from curation.errors import PairError
from curation.models import CollectionSettings, Pair
from curation.services.from_chat import QuestionKnown, pair_from_chat
from curation.sources import Source
from engine.lib.pair_rows import TURN_LIMIT
from projects.models import Project, User
from tests.curation.conftest import make_document

pytestmark = pytest.mark.django_db
ASKED = [{"role": "user", "content": "What is a suite?"}]


def made(project: Project, by: User, **changed: Any) -> Pair:
    values: dict[str, Any] = {"asked": ASKED, "answer": "A group.", "said": "A group.", "made_by": "Tiny", "sources": []}
    return pair_from_chat(key=uuid4(), project=project, by=by, **{**values, **changed})


def test_other_spaces_make_no_preference(project: Project, annotator: User) -> None:
    assert made(project, annotator, said=" A\n group. ").rejected == []


def test_another_answer_makes_one(project: Project, annotator: User) -> None:
    pair = made(project, annotator, said="A sweet.")
    assert (pair.rejected, pair.fork) == ([{"role": "assistant", "content": "A sweet."}], 1)


def test_it_is_collected_as_the_project_wants(project: Project, annotator: User) -> None:
    CollectionSettings.objects.create(project=project, overlap=3)
    assert made(project, annotator).responses_left == 3


def test_only_spans_that_hold_are_kept_in_order(project: Project, annotator: User) -> None:
    version = make_document(project, "suite.md", "A suite is a group.")
    place = {"document": str(version.document_id), "version": str(version.pk), "page": None}
    spans = [(0, 7, "Another"), (2, 7, "suite"), (13, 18, "group")]
    sources = [Source(**place, start=start, end=end, evidence=text) for start, end, text in spans]
    pair = made(project, annotator, sources=sources)
    pair.refresh_from_db()
    assert [source.evidence for source in pair.source_list] == ["suite", "group"]
    assert pair.version_id == version.pk


def test_the_same_question_after_other_turns_is_another(project: Project, annotator: User) -> None:
    first = made(project, annotator)
    earlier = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Good day."}]
    assert made(project, annotator, asked=[*earlier, *ASKED]) != first
    with pytest.raises(QuestionKnown) as refused:
        made(project, annotator)
    assert refused.value.pair == first


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"asked": []}, "is gone"),
        ({"answer": " "}, "not right"),
        ({"asked": [*ASKED, *ASKED]}, "take turns"),
        ({"answer": "x" * (TURN_LIMIT + 1)}, "not right"),
    ],
)
def test_what_cannot_stand_is_refused(project: Project, annotator: User, changed: dict[str, Any], says: str) -> None:
    with pytest.raises(PairError, match=says):
        made(project, annotator, **changed)
    assert not Pair.objects.exists()
