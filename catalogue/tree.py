"""The family tree: base model → adapter → merged model → quantised file."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from catalogue.selectors import ADAPTER_KINDS, MODEL_KINDS, models_of
from projects.models import Project
from projects.registries import provided
from runs.models import Artifact, RunInput

KINDS = {"adapter": "Adapter", "soft-prompt": "Soft prompt", "hf-model": "Merged model", "gguf-model": "GGUF file"}
ICONS = {"adapter": "puzzle", "soft-prompt": "text-cursor-input", "hf-model": "box", "gguf-model": "package"}

BESIDE_ROLES = ("teacher", "base")  # models that a run looked at and made nothing of


def kind_in_words(artifact: Artifact) -> str:
    """What a project's model is: a whole model is either merged from an adapter or trained as a whole."""
    if artifact.kind == "hf-model" and artifact.produced_by and artifact.produced_by.stage != "merge":
        return "Tuned model"
    return KINDS[artifact.kind]


@dataclass
class Node:
    """A model in the tree. Base models are roots."""

    artifact: Artifact
    is_base: bool = False
    depth: int = 0
    scores: dict[str, Any] = field(default_factory=dict)
    children: list["Node"] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return "Base model" if self.is_base else kind_in_words(self.artifact)

    @property
    def icon(self) -> str:
        return "sprout" if self.is_base else ICONS[self.artifact.kind]

    @property
    def name(self) -> str:
        return model_name(self.artifact)

    @property
    def indent(self) -> int:
        """Pixels, for the spacer before its name."""
        return 24 * self.depth


def model_name(artifact: Artifact) -> str:
    """What people call it: its own name, the level of a quantised file, or the title of the run that made it."""
    facts, run = artifact.facts, artifact.produced_by
    title = (run.title.partition(": ")[2] or run.title) if run else ""
    if artifact.project_id is None:
        return str(facts.get("name") or title.removeprefix("Import ") or "Base model")
    if artifact.kind == "gguf-model" and facts.get("level"):
        return f"{title or facts.get('name') or 'Model'} ({str(facts['level']).upper()})"
    return title or str(facts.get("name") or artifact)


def parents_of(artifacts: Iterable[Artifact]) -> dict[Any, Artifact]:
    """Artifact id → the model it was made from: for what took an adapter, the adapter. One query."""
    runs = {artifact.produced_by_id: artifact.pk for artifact in artifacts if artifact.produced_by_id}
    rows = RunInput.objects.filter(run__in=runs, artifact__kind__in=MODEL_KINDS).exclude(role__in=BESIDE_ROLES)
    rows = rows.select_related("artifact__produced_by")
    found: dict[Any, Artifact] = {}
    for row in rows:
        child = runs[row.run_id]
        if row.artifact and (child not in found or row.artifact.kind in ADAPTER_KINDS):
            found[child] = row.artifact
    return found


def family_tree(project: Project) -> list[Node]:
    """The project's models, each under what it was made from, in reading order with depths."""
    own = models_of(project)
    parents = parents_of(own)
    nodes = {artifact.pk: Node(artifact) for artifact in own}
    for parent in parents.values():
        if parent.pk not in nodes:
            nodes[parent.pk] = Node(parent, is_base=parent.project_id is None)
    for answer in provided("scores", [node.artifact for node in nodes.values()]):
        for key, scores in answer.items():
            nodes[key].scores = scores
    roots = []
    for key, node in nodes.items():
        if key in parents:
            nodes[parents[key].pk].children.append(node)
        else:
            roots.append(node)
    return [one for root in sorted(roots, key=lambda node: node.name) for one in _walk(root, 0)]


def _walk(node: Node, depth: int) -> list[Node]:
    node.depth = depth
    children = sorted(node.children, key=lambda child: child.artifact.created_at)
    return [node, *(one for child in children for one in _walk(child, depth + 1))]


def size_chart(nodes: list[Node]) -> dict[str, Any] | None:
    """Quality against size, for the models that were measured; None for fewer than two."""
    base = next((node.artifact.bytes for node in nodes if node.is_base), 0)
    names: dict[tuple[float, float], list[str]] = {}  # models of the same size and quality share a point
    for node in nodes:
        if node.scores.get("token_f1") is not None:
            size = node.artifact.bytes + (base if node.artifact.kind in ADAPTER_KINDS else 0)  # of no use without its base
            names.setdefault((round(size / 1e6, 2), node.scores["token_f1"]), []).append(node.name)
    if len(names) < 2:
        return None
    text = [", ".join(shared) if len(shared) < 3 else f"{len(shared)} models" for shared in names.values()]
    series = {"name": "Models", "x": [size for size, _ in names], "y": [quality for _, quality in names], "text": text}
    return {"kind": "scatter", "x": {"title": "Size in MB"}, "y": {"title": "Token F1"}, "series": [series]}
