"""Build a real domain model from real documents, step by step, and report what was measured."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from catalogue.services import CatalogueError
from catalogue.serving import ServingError
from curation.services import DatasetError, PairError
from dslm_studio.demo import measuring, reporting, steps
from dslm_studio.demo.display import Display
from dslm_studio.demo.progress import Progress, write
from engine.endpoint import EndpointError
from projects.services import first_owner_ensure
from retrieval.services import ReadingError
from runs.services import RunError
from training.services import PipelineError

EXPECTED = (
    steps.DemoError,
    ReadingError,
    PairError,
    DatasetError,
    PipelineError,
    RunError,
    CatalogueError,
    ServingError,
    EndpointError,
)


class Command(BaseCommand):
    help = __doc__

    def handle(self, *args: Any, **options: Any) -> None:
        report = settings.STUDIO_HOME / "demo" / "report.json"
        if report.exists():
            self.stdout.write(reporting.in_words(json.loads(report.read_text("utf-8"))))
            self.stdout.write(f"  Found as it was left. The report: {report}")
            return
        kept = report.with_name("progress.json")
        try:
            with Progress(kept, settings.STUDIO_HOME) as progress:
                made = self._build(progress.seconds)
        except EXPECTED as error:
            raise CommandError(str(error)) from error
        made = progress.measured() | made
        write(report, made)
        kept.unlink()
        self.stdout.write(reporting.in_words(made))
        self.stdout.write(f"  The report: {report}")

    def _build(self, seconds: dict[str, float]) -> dict[str, Any]:
        display = Display(seconds, self.stdout._out if hasattr(self.stdout, "_out") else None)
        owner = first_owner_ensure("owner@studio.local")
        with display.step("plan", "Plan") as step:
            project = steps.ensure_project(owner)
            plan = steps.ensure_plan(project, owner, reporting.ANSWERS)
            step.result = str(plan)
        with display.step("documents", "Read the documents") as step:
            documents = steps.ensure_documents(project, owner, step)
            chunks = reporting.chunk_count(project)
            step.result = f"{documents} documents, {chunks} passages"
        with display.step("pairs", "Make and approve pairs") as step:
            pairs = steps.ensure_pairs(project, owner, step)
            step.result = f"{pairs} pairs, approved by rule"
        with display.step("dataset", "Cut a dataset version") as step:
            dataset = steps.ensure_dataset(project, owner)
            counts = dataset.counts
            step.result = f"{counts['train']} train, {counts['validation']} validation, {counts['test']} test"
        with display.step("base_model", "Bring in the base model") as step:
            step.result = str(steps.ensure_base_model(owner, step).facts.get("name", ""))
        steps.ensure_pipeline(project, owner, dataset, plan.recommendation["steps"])
        for stage, title in (
            ("sft", "Fine-tune with LoRA"),
            ("merge", "Merge"),
            ("quantize", "Quantise to GGUF"),
            ("evaluate", "Evaluate"),
        ):
            with display.step(stage, title) as step:
                run = steps.ensure_stage(project, stage, owner, step)
                step.result, step.seconds = reporting.run_result(run), reporting.seconds_of(run)
        gguf = steps.run_of(project, "quantize").output("model")
        assert gguf is not None
        with display.step("retrieval", "Measure the search") as step:
            retrieval = measuring.measure_retrieval(project, dataset)
            step.result = f"{retrieval['recall_at_5']:.0%} of {retrieval['queries']} found among five"
        with display.step("chat", "Ask the model") as step:
            answer = steps.ensure_chat(project, owner, gguf)
            citations = measuring.measure_citations(project, dataset, gguf, step)
            step.result = f"{citations['cited_right']:.0%} of citations right"
        return reporting.report(project, dataset, retrieval, answer, citations)
