"""Checkpoints of a library's trainer: its own files, with what else a later attempt needs and what says that they belong to it."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.context import Context
from engine.lib.training import checkpoints
from engine.lib.training.checkpoints import Checkpoints, State
from engine.lib.training.settings import LoopParams
from engine.lib.training.weights import Masters
from engine.spec import CHECKPOINTS

PLAN, STATE = "plan.json", "state.json"
# written by the trainer and needed by nobody: a pickle of its settings, the tokenizer, the frozen copy of an adapter that is an input
NEEDLESS = ("training_args.bin", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja", "README.md")


class TrainerCheckpoints(Checkpoints):
    """Those of one attempt: weights, optimiser, schedule, random numbers and place in the data as ``trainer`` writes them."""

    def __init__(self, ctx: Context, params: LoopParams, plan: dict[str, Any], masters: Masters, trainer: Any) -> None:
        super().__init__(ctx, params, plan, masters, optimizer=None)
        self._trainer = trainer

    def _content(self, state: State) -> dict[str, Any]:
        return asdict(state)

    def _write(self, folder: Path, content: dict[str, Any]) -> Path:
        written = Path(self._trainer.args.output_dir) / f"checkpoint-{content['step']}"
        try:
            self._trainer.write_checkpoint()
            for name in NEEDLESS:
                (written / name).unlink(missing_ok=True)
            for copy in (path for path in written.iterdir() if path.is_dir()):
                shutil.rmtree(copy)
            (written / PLAN).write_text(json.dumps(self._plan, sort_keys=True), "utf-8")
            (written / STATE).write_text(json.dumps(content), "utf-8")
            if self.best.is_file():
                shutil.copyfile(self.best, written / self.best.name)
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(written, folder)
        finally:
            shutil.rmtree(written, ignore_errors=True)
        return folder

    def place(self, step: int) -> Path:
        """Where the checkpoint of ``step`` stands."""
        return self._ctx.run_dir / CHECKPOINTS / f"{step:08d}"

    def goes_on_from(self, folder: Path, step: int) -> None:
        """Take over what `trainer` does not read by itself from the checkpoint in ``folder``."""
        self.step = step
        if (folder / self.best.name).is_file():
            shutil.copyfile(folder / self.best.name, self.best)


def read(folder: Path, plan: dict[str, Any]) -> State:
    """Where the training stood. Raises ``InputError`` when the checkpoint was damaged or belongs to a training by another ``plan``."""
    checkpoints.verify(folder)
    checkpoints.check_plan(json.loads((folder / PLAN).read_text("utf-8")), json.loads(json.dumps(plan)))
    return State(**json.loads((folder / STATE).read_text("utf-8")))
