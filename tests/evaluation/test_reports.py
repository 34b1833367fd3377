"""Taking reports in, and what their figures say."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from evaluation.figures import figure, general_sample, rows
from evaluation.models import Report
from evaluation.samples import arrange, read_samples
from evaluation.selectors import scores_of
from evaluation.services import report_take_in
from evaluation.verdicts import uninformative, verdicts
from projects.models import Project, User
from runs.artifacts import artifact_erase, artifact_path
from runs.models import Artifact
from tests.catalogue import made

ClientFor = Callable[[User], Client]


@pytest.fixture
def report(project: Project) -> Report:
    base, data = made.base(), made.dataset(project)
    found = report_take_in(artifact=made.report(project, base, made.adapter(project, base, data), data))
    assert found is not None
    return found


def test_a_report_taken_in_twice_is_one_row(report: Report) -> None:
    again = report_take_in(artifact=report.artifact)
    assert again == report
    assert Report.objects.count() == 1
    assert (report.pairs, report.base_loss, report.tuned_token_f1) == (60, 2.9, 0.3)
    assert report.adapter is not None
    assert report.model is not None
    assert report.loss_change == pytest.approx(-20)


def test_a_report_without_a_tuned_model_is_about_the_base(project: Project) -> None:
    base = made.base()
    found = report_take_in(artifact=made.report(project, base, None, made.dataset(project), tuned=None, gain=None))
    assert found is not None
    assert found.tested == base
    assert found.tuned_loss is None
    assert scores_of([base])[base.pk]["loss"] == 2.9
    assert [verdict.tone for verdict in verdicts(found.figures)] == ["neutral"]


def test_what_is_no_report_is_refused(project: Project) -> None:
    wrong = made.artifact(project, "report", {"report.json": "[]"})
    with pytest.raises(ValueError, match="no figures"):
        report_take_in(artifact=wrong)


def test_scores_are_given_in_one_query(report: Report, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        scores = scores_of([report.adapter, report.model])  # type: ignore[list-item]
    assert scores[report.adapter_id]["loss"] == 2.32
    assert scores[report.adapter_id]["base_loss"] == 2.9
    assert scores[report.model_id]["loss"] == 2.9


def test_numbers_that_are_none_are_not_figures() -> None:
    assert figure(None) is None
    assert figure({"value": None}) is None
    assert figure({"value": float("nan")}) is None
    assert figure({"value": 1, "low": None}) is not None


def says(**changes: Any) -> list[tuple[str, str]]:
    return [(one.tone, f"{one.title} {one.text}") for one in verdicts(made.report_data(**changes))]


def test_the_verdict_names_gain_and_interval() -> None:
    loss, f1, general, mmlu = says()
    assert loss == (
        "good",
        "Loss is 20% lower than the base model's. On test pairs it has never seen, 95% interval 19% to 21%.",
    )
    assert f1[0] == "good"
    assert "0.20 to 0.30" in f1[1]
    assert general[0] == "warning"
    assert "1.2% higher" in general[1]
    assert mmlu == ("neutral", mmlu[1])
    assert "says nothing" in mmlu[1]


def test_nothing_is_claimed_that_the_interval_does_not_carry() -> None:
    gain = {
        "loss": made.figure(0.05, 0.2),
        "token_f1": made.figure(0.01, 0.05),
        "general_loss": made.figure(-0.01, 0.05),
    }
    loss, f1, general, _ = says(gain=gain)
    assert loss[0] == f1[0] == "warning"
    assert "too few to tell" in loss[1]
    assert general[0] == "good"
    assert "No sign of forgetting" in general[1]


def test_harm_is_said_plainly() -> None:
    gain = {
        "loss": made.figure(-0.4, 0.1),
        "token_f1": made.figure(-0.1, 0.02),
        "general_loss": made.figure(-0.4, 0.05),
    }
    assert [tone for tone, _ in says(gain=gain)] == ["bad", "bad", "bad", "neutral"]
    assert "higher" in says(gain=gain)[0][1]


def test_mmlu_at_chance_is_uninformative() -> None:
    data = made.report_data()
    del data["mmlu_informative"]
    assert uninformative(data)
    data["base"]["mmlu"] = made.figure(0.5, 0.05)
    assert not uninformative(data)


def test_a_gain_is_better_only_when_it_is_sure() -> None:
    found = rows(made.report_data(gain={"loss": made.figure(0.5, 0.1), "token_f1": made.figure(0.01, 0.05)}))
    assert found["loss"].better is True
    assert found["token_f1"].better is None
    assert found["perplexity"].better is None


def test_the_worst_answers_come_first(report: Report) -> None:
    samples = read_samples(artifact_path(report.artifact))
    assert [one.number for one in arrange(samples)][:3] == [1, 2, 3]
    assert arrange(samples, sort="-loss")[0].number == 30
    assert [one.question for one in arrange(samples, text="question 7?")] == ["Question 7?"]
    assert len(arrange(samples, sort="nonsense")) == 30


def test_a_line_that_cannot_be_read_spoils_no_other(project: Project) -> None:
    broken = made.artifact(project, "report", {"report.json": "{}", "samples.jsonl": made.samples(2) + "broken\n[]\n"})
    assert len(read_samples(artifact_path(broken))) == 2


# --- pages ---


def test_a_report_says_which_general_questions_were_asked() -> None:
    asked = made.figure(0.24, n=114)
    data = made.report_data(general={"questions": 114, "of": 281}, base={"mmlu": asked, "general_loss": made.figure(1.7, n=113)})
    assert "114 of the 281 MMLU development questions" in general_sample(data)
    assert "the reasoning of 113 is read" in general_sample(data)
    assert "114 of the MMLU development questions" in general_sample({"base": {"mmlu": asked}}), "reports from before it was kept"
    assert general_sample({"base": {}}) == ""


def test_the_report_page_shows_verdicts_tiles_and_answers(viewer: User, project: Project, report: Report, client_for: ClientFor) -> None:
    text = client_for(viewer).get(report.get_absolute_url()).content.decode()
    assert "60 of the 281 MMLU development questions" in text
    assert "20% lower" in text
    assert "uninformative" in text
    assert "Question 0?" in text
    assert "1–10 of 30" in text
    second = client_for(viewer).get(report.get_absolute_url(), {"page": 3, "sort": "f1"}).content.decode()
    assert "Question 29?" in second


def test_a_report_whose_files_are_gone_says_that_it_kept_no_answers(viewer: User, report: Report, client_for: ClientFor) -> None:
    artifact_erase(report.artifact)
    text = client_for(viewer).get(report.get_absolute_url()).content.decode()
    assert "This report kept no answers." in text and "No answers match" not in text


def test_pages_cost_the_same_however_many_reports_there_are(
    viewer: User, project: Project, report: Report, client_for: ClientFor, django_assert_max_num_queries: Any
) -> None:
    client, address = client_for(viewer), reverse("evaluation:list", args=[project.slug])
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        client.get(address)
    assert report.adapter is not None
    assert report.model is not None
    for _ in range(4):
        report_take_in(artifact=made.report(project, report.model, report.adapter, made.dataset(project)))
    with django_assert_max_num_queries(len(one)):
        client.get(address)


def test_reports_download_as_json_and_csv(viewer: User, project: Project, report: Report, client_for: ClientFor) -> None:
    client = client_for(viewer)
    data = client.get(reverse("evaluation:report_file", args=[project.slug, report.pk]))
    assert data.json()["pairs"] == 60
    assert "attachment" in data["Content-Disposition"]
    download = client.get(reverse("evaluation:answers_file", args=[project.slug, report.pk]))
    answers = b"".join(download.streaming_content).decode()  # type: ignore[attr-defined]
    assert answers.count("\n") == 31
    assert "'=Tuned" in answers


@pytest.mark.parametrize("name", ["evaluation:report", "evaluation:report_file", "evaluation:answers_file"])
def test_another_projects_report_does_not_exist(name: str, outsider: User, project: Project, report: Report, client_for: ClientFor) -> None:
    client, own = client_for(outsider), outsider.projects.get()
    assert client.get(reverse(name, args=[project.slug, report.pk])).status_code == 404
    assert client.get(reverse(name, args=[own.slug, report.pk])).status_code == 404


def test_a_report_goes_with_its_artifact(report: Report) -> None:
    Artifact.objects.filter(pk=report.artifact_id).delete()
    assert not Report.objects.exists()
