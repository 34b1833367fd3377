"""Which output feeds which input when stages are put one after another."""

from dataclasses import dataclass

from engine.registry import StageInfo
from runs.models import Artifact, Run
from runs.services import Source

BESIDE = ("adapter", "soft-prompt")  # kinds of what is trained beside a model and says nothing without it
MERGE = "merge"
WORDS = {
    "adapter": "an adapter",
    "soft-prompt": "a soft prompt (from prompt or prefix tuning)",
    "reward-model": "a reward model",
    "hf-model": "a model",
    "dataset": "a dataset version",
    "chunks": "documents that have been read",
}


class WiringError(Exception):
    """A step needs something that no step before it makes, or cannot take what they made."""


def in_words(kind: str) -> str:
    return WORDS.get(kind, f"a {kind}")


@dataclass(frozen=True)
class Beside:
    """What was trained beside the current model."""

    kind: str
    source: Source


class Bench:
    """What lies ready for the next step: models, what was trained beside one, and the data.

    A method that trains the model itself puts its own in place of the base; one that trains something beside it leaves the model as it is,
    and merging makes a whole of both.
    """

    def __init__(
        self,
        *,
        base: Artifact | Run,
        dataset: Artifact | None,
        documents: Artifact | None = None,
        teacher: Artifact | None = None,
        adapter: Artifact | None = None,
        tuned: Artifact | None = None,
        reward: Artifact | None = None,
    ) -> None:
        self._base: Source = base if isinstance(base, Artifact) else (base, "model")
        self._model: Source = tuned or self._base
        self._beside = Beside(adapter.kind, adapter) if adapter else None
        self._whole: Source | None = None if adapter else self._model
        self._teacher = teacher
        self._stands_on = self._model  # the model that the step asked about last works on
        given = (("dataset", dataset), ("chunks", documents), ("reward-model", reward))
        self._made: dict[str, Source] = {kind: source for kind, source in given if source}

    def inputs(self, info: StageInfo) -> dict[str, Source]:
        """Role → source for a step of ``info``. Raises ``WiringError`` for a required input that nothing makes, and for a step that would
        have to pass over what was trained before it.
        """
        found: dict[str, Source] = {}
        for role, (kind, required) in info.roles.items():
            source = self._model_for(role, info) if kind == "hf-model" else self._other(kind)
            if source is not None:
                found[role] = source
            elif required:
                raise WiringError(self._lacking(info, kind))
        self._stands_on = found.get("model", self._model)
        return found

    def _other(self, kind: str) -> Source | None:
        if kind in BESIDE:
            return self._beside.source if self._beside and self._beside.kind == kind else None
        return self._made.get(kind)

    def _model_for(self, role: str, info: StageInfo) -> Source | None:
        if role == "teacher":
            return self._teacher
        tuned = self._model != self._base
        if role == "base":  # what the current model is compared with
            return self._base if tuned else None
        if role == "tuned":
            return self._model if tuned and self._beside is None else None
        if self._beside is None or takes(info, self._beside.kind):
            return self._base if tuned and "tuned" in info.roles and self._beside is None else self._model
        if self._whole is None:
            raise WiringError(self._lacking(info, ""))
        return self._whole

    def _lacking(self, info: StageInfo, kind: str) -> str:
        beside = self._beside.kind if self._beside else ""
        if beside == "soft-prompt" and kind in ("", "adapter"):
            return f"{info.title} cannot take {in_words(beside)}: it changes no weight, so there is nothing to merge or to compress."
        if not kind:
            return f"{info.title} cannot go on from {in_words(beside)}. Merge it into the model first."
        return f"{info.title} needs {in_words(kind)}, and no step before it makes one."

    def add(self, info: StageInfo, run: Run) -> None:
        """From now on later steps can use what ``run`` makes, whose ``inputs`` were asked for last."""
        for role, optional in info.produces.items():
            kind, source = optional.rstrip("?"), (run, role)
            if kind in BESIDE:
                self._model, self._beside, self._whole = self._stands_on, Beside(kind, source), None
            elif kind != "hf-model":
                self._made[kind] = source
            elif info.key == MERGE:  # the adapter itself stays what it was
                self._whole = source
            else:
                self._model, self._whole, self._beside = source, source, None


def takes(info: StageInfo, kind: str) -> bool:
    """Whether a step of ``info`` has an input of that kind."""
    return any(kind == taken for taken, _ in info.roles.values())
