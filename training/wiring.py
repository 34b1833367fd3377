"""Which output feeds which input when stages are put one after another."""

from engine.registry import StageInfo
from runs.models import Artifact, Run
from runs.services import Source


class WiringError(Exception):
    """A step needs something that no step before it makes."""


class Bench:
    """What lies ready for the next step: the base model, the dataset, and the latest of each kind that the steps
    before make.
    """

    def __init__(self, *, base: Artifact | Run, dataset: Artifact) -> None:
        self._base: Source = base if isinstance(base, Artifact) else (base, "model")
        self._dataset = dataset
        self._made: dict[str, Source] = {}

    def inputs(self, info: StageInfo) -> dict[str, Source]:
        """Role → source for a step of ``info``. Raises ``WiringError`` for a required input that nothing makes.

        A stage that takes an adapter wants the model the adapter was trained on; any other takes the latest model
        there is.
        """
        found: dict[str, Source] = {}
        for role, (kind, required) in info.roles.items():
            source: Source | None
            if kind == "dataset":
                source = self._dataset
            elif kind == "hf-model":
                source = self._base if "adapter" in info.roles else self._made.get(kind, self._base)
            else:
                source = self._made.get(kind)
            if source is not None:
                found[role] = source
            elif required:
                raise WiringError(f"{info.title} needs a {kind}, and no step before it makes one.")
        return found

    def add(self, info: StageInfo, run: Run) -> None:
        """From now on later steps can use what ``run`` makes."""
        for role, kind in info.produces.items():
            self._made[kind.rstrip("?")] = (run, role)
