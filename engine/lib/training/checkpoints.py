"""Checkpoints: everything a later attempt needs to go on exactly where an earlier one left."""

import shutil
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from engine import manifest
from engine.context import Context
from engine.exits import InputError
from engine.lib.training import team
from engine.lib.training.settings import LoopParams
from engine.lib.training.weights import Masters

SHARE_OF_TIME = 0.02  # that writing checkpoints may take at most
# settings of looking, which change no weight
LOOKING = {
    "eval_every", "eval_rows", "checkpoint_every", "checkpoint_minutes", "general_rows", "general_budget", "stop_over_budget", "keep",
    "watched_prompts",
}  # fmt: skip


@dataclass
class State:
    """Where the training stands; all of it goes into a checkpoint."""

    step: int = 0
    losses: list[float] = field(default_factory=list)
    eval_losses: dict[str, float] = field(default_factory=dict)  # step → loss; JSON and weights_only know no other keys
    general_losses: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] | None = None  # {"step", "loss"} of the lowest validation loss after the first step
    figures: dict[str, dict[str, float]] = field(default_factory=dict)  # step → facts that a look found of the state then
    answer_tokens: int = 0
    all_tokens: int = 0
    seconds: float = 0.0
    rows_at_once: int = 0  # 0: a whole batch
    recomputing: bool = False
    longest: int = 0  # tokens; 0: as the settings say


class Checkpoints:
    """Those of one attempt. ``best`` is the file with the weights of the best look so far, where there is one."""

    def __init__(self, ctx: Context, params: LoopParams, plan: dict[str, Any], masters: Masters, optimizer: Any) -> None:
        self._ctx, self._params, self._plan = ctx, params, plan
        self._masters, self._optimizer = masters, optimizer
        self._team = team.join()
        self._written, self._took = time.monotonic(), 0.0
        self.step = 0  # that a checkpoint stands of
        self.best = ctx.work / "best.safetensors"

    def due(self, step: int) -> bool:
        """Whether it is time for one: by the steps that the settings name, or by the clock."""
        every = self._params.checkpoint_every
        pause = max(60 * self._params.checkpoint_minutes, self._took / SHARE_OF_TIME)
        return bool(every and step % every == 0) or time.monotonic() - self._written >= pause

    def keep(self, state: State) -> None:
        """See that a checkpoint of this very moment stands. One that does is not written anew: it would be away meanwhile.

        A full disk costs the checkpoint, not the training, and what was there stays as it is.
        """
        if state.step == self.step:
            return
        began = time.monotonic()
        folder = self._ctx.work / "checkpoint"
        content = self._content(state)  # every process of a team gives its part, one writes
        self.step, before = state.step, self.step
        if not self._team.first:
            return
        try:
            self._ctx.checkpoint(state.step, self._write(folder, content))
        except (OSError, RuntimeError) as error:  # torch raises a RuntimeError of its own for a file that could not be written
            shutil.rmtree(folder, ignore_errors=True)
            self._ctx.warn(
                "checkpoint",
                f"The checkpoint of step {state.step} could not be written: {str(error).splitlines()[0]}",
                where=str(self._ctx.run_dir),
                mend="Free some disk. The training goes on; after an interruption it would start from the checkpoint before.",
            )
            self.step = before
        self._written, self._took = time.monotonic(), time.monotonic() - began

    def keep_best(self) -> None:
        """Remember the weights as they are now as the best."""
        from safetensors.torch import save_file

        weights = {name: weight.contiguous() for name, weight in self._masters.whole().items()}
        if self._team.first:
            save_file(weights, str(self.best))
        self._team.any(False)  # the others wait until it stands

    def load_best(self) -> None:
        """Set the weights to the best that were kept."""
        from safetensors.torch import load_file

        self._masters.load(load_file(str(self.best)))

    def _content(self, state: State) -> dict[str, Any]:
        import torch

        random_state = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_available():
            random_state["cuda"] = torch.cuda.get_rng_state()
        optimizer = self._optimizer.state_dict()
        moments = {number: {name: team.whole(value) for name, value in of.items()} for number, of in optimizer["state"].items()}
        return {
            "plan": self._plan, "state": asdict(state), "random": self._team.gather(random_state),
            "optimizer": optimizer | {"state": moments}, "weights": self._masters.whole(),
        }  # fmt: skip

    def _write(self, folder: Path, content: dict[str, Any]) -> Path:
        import torch

        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        torch.save(content, folder / "state.pt")
        if self.best.is_file():
            shutil.copyfile(self.best, folder / self.best.name)
        return folder

    def restore(self, folder: Path) -> State:
        """Put weights, optimiser and random numbers back as they were; the place in the data is in the returned state.

        Raises ``InputError`` when the checkpoint was damaged or belongs to another training.
        """
        import torch

        saved = read(folder, self._plan)
        self._masters.load(saved["weights"])
        weights = [weight for group in self._optimizer.param_groups for weight in group["params"]]
        for number, moments in saved["optimizer"]["state"].items():
            for name in moments.keys() - {"step"}:
                moments[name] = team.like(moments[name], weights[number])
        for own, group in zip(self._optimizer.param_groups, saved["optimizer"]["param_groups"], strict=True):
            group |= {name: own[name] for name in ("fused", "foreach") if name in own}  # how it is computed is this machine's business
        self._optimizer.load_state_dict(saved["optimizer"])
        random_state = saved["random"][self._team.rank]
        torch.set_rng_state(random_state["cpu"])
        if "cuda" in random_state and torch.cuda.is_available():
            torch.cuda.set_rng_state(random_state["cuda"])
        if (folder / self.best.name).is_file() and self._team.first:
            shutil.copyfile(folder / self.best.name, self.best)
        self._team.any(False)  # the others wait until it stands
        state = State(**saved["state"])
        self.step = state.step
        return state


def read(folder: Path, plan: dict[str, Any]) -> dict[str, Any]:
    """What a checkpoint holds. Raises ``InputError`` when it was damaged or belongs to a training by another ``plan``."""
    import torch

    verify(folder)
    saved: dict[str, Any] = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
    check_plan(saved["plan"], plan)
    return saved


def verify(folder: Path) -> None:
    """Raise ``InputError`` for a checkpoint that was damaged: nothing is unpacked before its hash is known to be right."""
    try:
        manifest.verify(folder)
    except manifest.ManifestError as error:
        raise InputError(
            "checkpoint_damaged", f"The checkpoint is damaged: {error}", where=str(folder), mend="Start the training anew."
        ) from error


def check_plan(saved: dict[str, Any], plan: dict[str, Any]) -> None:
    """Raise ``InputError`` for a checkpoint of a training by another ``plan``."""
    if saved != plan:
        different = [name for name in plan if saved.get(name) != plan[name]]
        raise InputError(
            "checkpoint_other",
            "The checkpoint is from a training with other settings.",
            where=", ".join(different),
            mend="Resume with the settings it was started with, or start a new run.",
        )


def plan_of(ctx: Context, params: LoopParams, total: int) -> dict[str, Any]:
    """What must be equal for a checkpoint to be continued."""
    settings = params.model_dump(exclude=LOOKING)
    inputs = {role: manifest.read(folder).sha256 for role, folder in ctx.inputs.items()}
    return settings | inputs | {"seed": ctx.seed, "total_steps": total}
