"""A model whose weights all moved: its report, its place in the family tree, its card."""

import json

from catalogue.cards import card_of
from catalogue.tree import family_tree
from evaluation.selectors import scores_of
from evaluation.services import report_take_in
from projects.models import Project
from runs.models import Artifact
from tests.catalogue import made


def tuned(project: Project, base: Artifact, data: Artifact, **more: Artifact) -> Artifact:
    run = made.ended_run(project, "sft_full", {"model": base, "dataset": data, **more}, title="Fine-tune all weights: Whole")
    return made.artifact(project, "hf-model", {"model.safetensors": "weights"}, facts={"method": "full"}, run=run, role="model")


def test_its_report_is_about_it_and_compares_with_the_base(project: Project) -> None:
    base, data = made.base(), made.dataset(project)
    model = tuned(project, base, data)
    run = made.ended_run(project, "evaluate", {"model": model, "base": base, "dataset": data}, title="Evaluate: Whole")
    files = {"report.json": json.dumps(made.report_data()), "samples.jsonl": made.samples()}
    report = report_take_in(artifact=made.artifact(project, "report", files, run=run, role="report"))
    assert report is not None
    assert (report.tested, report.model) == (model, base)
    scores = scores_of([model, base])
    assert scores[model.pk]["loss"] < scores[model.pk]["base_loss"] == scores[base.pk]["loss"]
    card = card_of(model)
    assert card.kind == "Tuned model" and card.scores == scores[model.pk] and card.reports == [report]


def test_it_stands_under_its_base_and_not_under_its_teacher(project: Project) -> None:
    base, data = made.base(), made.dataset(project)
    teacher = made.artifact(None, "hf-model", {"config.json": "{}"}, facts={"name": "Teacher"})
    student = tuned(project, base, data, teacher=teacher)
    nodes = family_tree(project)
    assert [(node.artifact, node.depth, node.kind) for node in nodes] == [(base, 0, "Base model"), (student, 1, "Tuned model")]
    assert card_of(student).base == base
