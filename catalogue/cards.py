"""The model card: where a model came from, with hashes, seeds, versions, data, evaluation and approvals."""

from dataclasses import dataclass, field
from typing import Any

from catalogue.models import BaseModelImport
from catalogue.selectors import base_model
from catalogue.tree import KINDS, kind_in_words, model_name
from engine import manifest, registry
from projects.models import AuditEvent
from projects.registries import provided
from runs.artifacts import artifact_path
from runs.models import Artifact
from runs.selectors import ancestors

KIND_WORDS = {
    **KINDS,
    "dataset": "Dataset version",
    "pairs": "Pairs",
    "chunks": "Chunks",
    "documents": "Documents",
    "report": "Report",
    "reward-model": "Reward model",
}
FACTS = {
    "parameters": "Parameters",
    "context_length": "Context in tokens",
    "family": "Architecture",
    "layers": "Layers",
    "method": "Method",
    "rank": "Adapter rank",
    "alpha": "Adapter strength",
    "target": "Layers adapted",
    "bits": "Base held in",
    "virtual_tokens": "Virtual tokens",
    "steps": "Steps trained",
    "pairs": "Pairs trained on",
    "questions": "Questions answered in training",
    "answer_tokens": "Answer tokens trained on",
    "loss_last": "Last training loss",
    "eval_loss": "Validation loss",
    "eval_reward": "Reward of answers to validation questions",
    "level": "Level",
    "token_agreement": "Tokens like the unquantised model's",
    "prompt": "Golden prompt",
    "answer": "Its answer",
    "dtype": "Number format",
}
APPROVALS = ("pair.approve", "pairs.approve_by_rule", "dataset.cut")
EVENTS = 8


@dataclass(frozen=True)
class Origin:
    """One artifact of the lineage."""

    artifact: Artifact
    depth: int
    title: str
    stage: str
    role: str

    @property
    def kind(self) -> str:
        if self.artifact.kind == "hf-model" and self.artifact.project_id is None:
            return "Base model"
        return kind_in_words(self.artifact) if self.artifact.kind in KINDS else KIND_WORDS.get(self.artifact.kind, self.artifact.kind)

    @property
    def indent(self) -> int:
        return 16 * self.depth


@dataclass(frozen=True)
class Card:
    artifact: Artifact
    name: str
    kind: str
    facts: list[tuple[str, Any]]
    files: list[tuple[str, int, str]]  # name, bytes, sha256
    lineage: list[Origin]
    versions: dict[str, str]
    scores: dict[str, Any]
    reports: list[Any]
    approvals: list[AuditEvent]
    base: Artifact | None
    datasets: list[Origin] = field(default_factory=list)


def card_of(artifact: Artifact) -> Card:
    """Everything the card shows."""
    found = ancestors(artifact)
    titles: dict[Any, str] = {}
    for answer in provided("titles", [one.artifact for one in found]):
        titles |= answer
    line = [_origin(one.artifact, one.depth, one.role, titles.get(one.artifact.pk, "")) for one in found]
    models = [one.artifact for one in line if one.artifact.kind in KINDS]
    scores: dict[Any, dict[str, Any]] = {}
    for answer in provided("scores", models):
        scores |= answer
    tuned = [one.pk for one in models if one.project_id is not None]
    reports = [report for answer in provided("model_reports", tuned) for report in answer]
    bases = [one for one in line if one.artifact.kind == "hf-model" and one.artifact.project_id is None and one.role != "teacher"]
    base = bases[0].artifact if bases else None
    facts = [(title, _value(artifact.facts[key])) for key, title in FACTS.items() if artifact.facts.get(key) not in (None, "")]
    if licence := _licence(base):
        facts.append(("Licence of the base model", licence))
    own = scores.get(artifact.pk) or next((scores[key] for key in tuned if key in scores), {})
    return Card(
        artifact=artifact,
        name=model_name(artifact),
        kind="Base model" if artifact.project_id is None else kind_in_words(artifact),
        facts=facts,
        files=_files(artifact),
        lineage=line,
        versions=_versions(line),
        scores=own,
        reports=reports,
        approvals=_approvals(artifact),
        base=base,
        datasets=[one for one in line if one.artifact.kind == "dataset"],
    )


def _origin(artifact: Artifact, depth: int, role: str, title: str) -> Origin:
    """``title`` is what the app whose artifact it is calls it; empty where none says."""
    run = artifact.produced_by
    name = title or (model_name(artifact) if artifact.kind in KINDS else KIND_WORDS.get(artifact.kind, artifact.kind))
    return Origin(artifact, depth, name, registry.get(run.stage).title if run else "", role)


def _licence(base: Artifact | None) -> str:
    """The licence of the base model, as the catalogue knows it."""
    row = BaseModelImport.objects.filter(run=base.produced_by_id).first() if base and base.produced_by_id else None
    state = base_model(row.key) if row else None
    return state.spec.licence if state else ""


def _value(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _files(artifact: Artifact) -> list[tuple[str, int, str]]:
    try:
        record = manifest.read(artifact_path(artifact))
    except manifest.ManifestError:  # erased: the row stays as the tombstone
        return []
    return [(name, entry.bytes, entry.sha256) for name, entry in sorted(record.files.items())]


def _versions(line: list[Origin]) -> dict[str, str]:
    """Library versions as each artifact of the lineage carries them; the nearest one has the last word."""
    found: dict[str, str] = {}
    for one in reversed(line):
        try:
            made_by = manifest.read(artifact_path(one.artifact)).made_by
        except manifest.ManifestError:  # erased
            continue
        found |= {name: str(version) for name, version in (made_by.get("versions") or {}).items() if version}
    return dict(sorted(found.items()))


def _approvals(artifact: Artifact) -> list[AuditEvent]:
    """Who approved what went in, as far as it happened before this model was made."""
    if artifact.project_id is None:
        return []
    events = AuditEvent.objects.filter(project_id=artifact.project_id, action__in=APPROVALS, at__lte=artifact.created_at)
    return list(events.order_by("-at")[:EVENTS])


def as_markdown(card: Card) -> str:
    """The card as a text file to go with the model."""
    lines = [f"# {card.name}", "", f"{card.kind}, made {card.artifact.created_at:%Y-%m-%d}.", ""]
    lines += [
        "## Facts",
        "",
        *(f"- {title}: {value}" for title, value in card.facts),
        f"- Bytes: {card.artifact.bytes:,}",
        "",
    ]
    if card.scores:
        figures = {key: value for key, value in card.scores.items() if isinstance(value, int | float)}
        lines += [
            "## Evaluation",
            "",
            *(f"- {key.replace('_', ' ')}: {value:.4g}" for key, value in sorted(figures.items())),
            "",
        ]
    lines += ["## Lineage", ""]
    for one in card.lineage:
        seed = f", seed {one.artifact.produced_by.seed}" if one.artifact.produced_by else ""
        lines.append(f"{'  ' * one.depth}- {one.kind} “{one.title}”, sha256 {one.artifact.sha256}{seed}")
    lines += ["", "## Files", "", *(f"- {name}, {size:,} bytes, sha256 {digest}" for name, size, digest in card.files)]
    if card.approvals:
        lines += ["", "## Approvals", "", *(f"- {event.at:%Y-%m-%d}: {event.actor_name}, {event.action}" for event in card.approvals)]
    if card.versions:
        lines += ["", "## Made with", "", *(f"- {name} {version}" for name, version in card.versions.items())]
    return "\n".join(lines) + "\n"
