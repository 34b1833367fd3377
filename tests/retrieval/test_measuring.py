"""Measuring search on questions with known evidence."""

import pytest

from projects import registries
from projects.models import Project, User
from retrieval.measuring import Question, covers, measure
from retrieval.models import Chunk, DocumentVersion, Measurement, MeasurementStatus
from retrieval.search import Hit
from retrieval.services.measuring import MeasuringError, measurement_run, measurement_start, measurement_stop

pytestmark = pytest.mark.usefixtures("embedder")


@pytest.fixture
def questions(library: list[DocumentVersion]) -> list[Question]:
    """One question a passage, asked in the passage's own words."""
    chunks = Chunk.objects.select_related("version").order_by("pk")
    return [Question(chunk.text, chunk.version.document_id, chunk.start, chunk.end) for chunk in chunks]


@pytest.fixture
def asked(questions: list[Question], monkeypatch: pytest.MonkeyPatch) -> list[Question]:
    monkeypatch.setattr(registries, "_providers", {"questions": [lambda project: [tuple(question) for question in questions]]})
    return questions


def test_passages_asked_in_their_own_words_are_all_found(project: Project, questions: list[Question]) -> None:
    found = measure(project, questions)
    assert found.recall_at_5 == 1.0 and found.mrr > 0.9 and found.queries == len(questions) and not found.misses
    assert found.keyword_only_recall_at_5 == 1.0 and found.vector_only_recall_at_5 == 1.0


def test_a_question_about_another_document_is_a_miss_with_what_came_instead(project: Project, questions: list[Question]) -> None:
    wrong = questions[0]._replace(start=100_000, end=100_010)
    found = measure(project, [wrong])
    assert found.recall_at_5 == found.mrr == 0.0
    assert found.misses[0].rank is None and found.misses[0].found


def test_no_questions_give_no_figures_and_no_error(project: Project, library: list[DocumentVersion]) -> None:
    assert measure(project, []).as_dict()["queries"] == 0


@pytest.mark.parametrize(("start", "end", "counts"), [(0, 10, True), (5, 15, True), (6, 16, False), (10, 20, False), (2, 4, True)])
def test_a_hit_counts_when_it_holds_half_of_the_evidence(start: int, end: int, counts: bool) -> None:
    version = DocumentVersion(document_id=Question("q", DocumentVersion().pk, 0, 1).document)
    chunk = Chunk(version=version, start=0, end=10)
    assert covers(Hit(chunk, 1.0, 1, 1, 1.0), Question("q", version.document_id, start, end)) is counts


def test_it_runs_in_the_background_and_keeps_its_figures(project: Project, owner: User, asked: list[Question]) -> None:
    measurement = measurement_start(project=project, by=owner)
    assert measurement_start(project=project, by=owner) == measurement  # not two at once
    measurement_run(measurement.pk)
    measurement.refresh_from_db()
    assert measurement.status == MeasurementStatus.SUCCEEDED
    assert measurement.results["recall_at_5"] == 1.0 and measurement.done == measurement.total == len(asked)
    measurement_run(measurement.pk)  # a second delivery of the same message
    assert Measurement.objects.get().status == MeasurementStatus.SUCCEEDED


def test_it_can_be_stopped(project: Project, owner: User, asked: list[Question]) -> None:
    measurement = measurement_start(project=project, by=owner)
    measurement_stop(measurement=measurement, by=owner)
    measurement_run(measurement.pk)
    assert Measurement.objects.get().status == MeasurementStatus.STOPPED


def test_without_questions_it_says_so(project: Project, owner: User) -> None:
    with pytest.raises(MeasuringError, match="pairs"):
        measurement_start(project=project, by=owner)


def test_when_the_embedder_is_away_it_fails_with_the_reason(
    project: Project, owner: User, asked: list[Question], monkeypatch: pytest.MonkeyPatch
) -> None:
    from retrieval import embedding

    def away(*_: object, **__: object) -> None:
        raise embedding.endpoint.EndpointError("unreachable", "The server does not answer.", "Start it.")

    measurement = measurement_start(project=project, by=owner)
    monkeypatch.setattr(embedding.endpoint, "embed", away)
    measurement_run(measurement.pk)
    measurement.refresh_from_db()
    assert measurement.status == MeasurementStatus.FAILED and "does not answer" in measurement.error
