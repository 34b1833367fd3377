"""What a sweep's page shows: its combinations with how far they are, what came of each, and which did best."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Q

from engine import registry
from projects.models import Project
from runs.marks import budget_of
from runs.models import Artifact, MetricPoint, MetricRollup, Run, Status
from runs.queueing import places
from training.comparing import Cell, cell_of, comparing_charts, last_training, made_by, scores_table
from training.judging import BY_LOSS, BY_REWARD, GENERAL, Judge
from training.methods import entries
from training.models import Pipeline, PipelineRun, Sweep
from training.varying import in_words, label_of, title_of

POINTS = 300  # a line: the page fetches them again while it goes on


@dataclass
class Row:
    """One combination. ``judged`` (what the ``Judge`` goes by) and ``general`` are of the state that was handed over, else the latest.

    ``made``: by the last training of the pipeline, which is ``run`` itself unless other methods follow it.
    """

    pipeline: Pipeline
    label: str
    values: list[str]
    run: Run
    after: list[Run] = field(default_factory=list)  # what follows the training in its pipeline
    judged: float | None = None
    general: float | None = None
    over_budget: bool = False
    scores: list[Cell] = field(default_factory=list)
    made: Artifact | None = None
    best: bool = False
    queued_as: str = ""

    @property
    def place(self) -> int:
        return self.pipeline.place

    @property
    def ended(self) -> bool:
        return all(run.is_ended for run in [self.run, *self.after])

    @property
    def judged_cell(self) -> Cell:
        return cell_of(self.judged)

    @property
    def general_cell(self) -> Cell:
        return cell_of(self.general)

    @property
    def can_be_judged(self) -> bool:
        return self.run.status == Status.SUCCEEDED and self.judged is not None


@dataclass(frozen=True)
class Summary:
    """A sweep as its page shows it. ``best``: the rows that the judge finds best, several where they tie, those within the budget for
    forgetting first; ``within``: the best of those within it, where none of the best is. ``incomparable``: settings that keep the rows from
    being compared by it.
    """

    judge: Judge
    rows: list[Row]
    titles: list[str]
    score_titles: list[str]
    best: list[Row]
    within: Row | None
    incomparable: list[str]

    @property
    def runs(self) -> list[Run]:
        return [row.run for row in self.rows]

    @property
    def ended(self) -> int:
        return sum(row.run.is_ended for row in self.rows)

    @property
    def incomparable_words(self) -> str:
        return f"{' and '.join(f'“{title}”' for title in self.incomparable)}."

    @property
    def not_validated(self) -> bool:
        """Whether trainings have ended well, and none of them had anything to validate on."""
        done = [row for row in self.rows if row.run.status == Status.SUCCEEDED]
        return bool(done) and not any(row.can_be_judged for row in done)

    @property
    def all_over_budget(self) -> bool:
        """Whether several can be judged, and all of them forgot more than their budget allows."""
        judged = [row for row in self.rows if row.can_be_judged]
        return len(judged) > 1 and all(row.over_budget for row in judged)

    @property
    def goes_on(self) -> bool:
        return not all(row.ended for row in self.rows)


def summary(sweep: Sweep) -> Summary:
    """Read in the same number of queries however many runs there are."""
    rows = _rows(sweep)
    info = registry.get(sweep.stage)
    runs = [row.run for row in rows]
    judge = _judge(rows)
    made = _made(rows)
    scores = scores_table(runs, made)
    waiting = {place.run: place for place in places(info.queue)} if any(run.status == Status.QUEUED for run in runs) else {}
    for at, row in enumerate(rows):
        row.made = made.get(row.run.pk)
        row.scores = [score["cells"][at] for score in scores]
        place = waiting.get(row.run.pk)
        row.queued_as = f"Number {place.number} in the queue" if place else ""
    names = {one["name"] for one in sweep.varied}
    preferences = "preferences" in entries()[sweep.stage].needs if sweep.stage in entries() else False
    incomparable = sorted(title_of(info, name) for name in names if judge.depends_on(name, preferences=preferences))
    best, within = ([], None) if incomparable else _best(rows, judge)
    titles = [title_of(info, one["name"]) for one in sweep.varied]
    return Summary(judge, rows, titles, [score["name"] for score in scores], best, within, incomparable)


def _made(rows: list[Row]) -> dict[Any, Artifact]:
    """The run of a row → what its pipeline hands over, as far as it is there. One query."""
    last = {row.run.pk: last_training([row.run, *row.after]) or row.run for row in rows}
    made = made_by(list(last.values()))
    return {run: made[maker.pk] for run, maker in last.items() if maker.pk in made}


def _rows(sweep: Sweep) -> list[Row]:
    info = registry.get(sweep.stage)
    steps = PipelineRun.objects.filter(pipeline__sweep=sweep).select_related("run", "run__project", "pipeline")
    pipelines: dict[Pipeline, list[PipelineRun]] = defaultdict(list)
    for step in steps.order_by("pipeline__place", "position"):
        pipelines[step.pipeline].append(step)
    rows = []
    for pipeline, of_one in pipelines.items():
        at = next((at for at, step in enumerate(of_one) if step.run.stage == sweep.stage and step.run.project_id), None)
        if at is None:
            continue
        run = of_one[at].run
        chosen = {one["name"]: run.params.get(one["name"]) for one in sweep.varied}
        values = [in_words(info, name, value) for name, value in chosen.items()]
        rows.append(Row(pipeline, label_of(info, chosen), values, run, [step.run for step in of_one[at + 1 :]]))
    return rows


def _judge(rows: list[Row]) -> Judge:
    """What there is to judge by, written into ``rows``. Two queries: first, highest and latest values from the rollups, and those at the
    steps that were handed over.
    """
    runs, metrics = [row.run.pk for row in rows], (BY_LOSS.metric, BY_REWARD.metric, GENERAL)
    rollups = MetricRollup.objects.filter(run__in=runs, metric__in=metrics).order_by("attempt", "span")
    first: dict[tuple[Any, str], float] = {}
    latest: dict[tuple[Any, str], float] = {}
    highest: dict[tuple[Any, str], float] = {}
    for run, metric, begins, last, high in rollups.values_list("run", "metric", "first", "last", "high"):
        key = (run, metric)
        first.setdefault(key, begins)
        latest[key] = last
        highest[key] = max(high, highest.get(key, high))
    kept = Q(pk=None)
    for row in rows:
        if (step := row.run.summary.get("handed_over_step")) is not None:
            kept |= Q(run=row.run.pk, step=step, metric__in=metrics)
    for run, metric, value in MetricPoint.objects.filter(kept).order_by("attempt").values_list("run", "metric", "value"):
        latest[run, metric] = value
    judge = BY_REWARD if any(metric == BY_REWARD.metric for _, metric in latest) else BY_LOSS
    for row in rows:
        row.judged, row.general = latest.get((row.run.pk, judge.metric)), latest.get((row.run.pk, GENERAL))
        budget, key = budget_of(row.run), (row.run.pk, GENERAL)
        if budget is not None and key in first:
            # a state that was handed over is judged by itself; while none is, one look beyond the budget is enough
            loss = highest[key] if row.run.summary.get("handed_over_step") is None else latest[key]
            row.over_budget = loss > first[key] + budget
    return judge


def _best(rows: list[Row], judge: Judge) -> tuple[list[Row], Row | None]:
    """Marks the finished rows that ``judge`` finds best, equal ones as far as digits are shown; and the best within the budget."""
    known = [(row.judged, row) for row in rows if row.can_be_judged and row.judged is not None]
    if not known:
        return [], None
    leads = cell_of(judge.best(value for value, _ in known)).text
    best = sorted((row for value, row in known if cell_of(value).text == leads), key=lambda row: row.over_budget)
    for row in best:
        row.best = True
    inside = [(value, row) for value, row in known if not row.over_budget]
    if not inside or not all(row.over_budget for row in best):
        return best, None
    leads_inside = judge.best(value for value, _ in inside)
    return best, next(row for value, row in inside if value == leads_inside)


def sweep_charts(found: Summary) -> list[dict[str, Any]]:
    """What the runs are judged by over one another, as far as one of them has begun to draw it."""
    names = {row.run.pk: row.label for row in found.rows}
    return [chart for chart in comparing_charts(found.runs, names, list(found.judge.drawn), most=POINTS) if chart["spec"]["series"]]


def sweeps_of(runs: list[Run]) -> dict[Any, Sweep]:
    """Run → the sweep that it is part of. One query."""
    steps = PipelineRun.objects.filter(run__in=runs, pipeline__sweep__isnull=False).select_related("pipeline__sweep__project")
    return {step.run_id: step.pipeline.sweep for step in steps if step.pipeline.sweep}


def sweep_of(project: Project, key: UUID) -> Sweep | None:
    return Sweep.objects.filter(project=project, pk=key).select_related("project", "created_by").first()
