"""Run one attempt: read spec.json, call the stage, end with an exit code that says how it went."""

import os
import time
import traceback
from pathlib import Path

from pydantic import ValidationError

from engine import registry
from engine.context import Context, versions
from engine.events import EventWriter
from engine.exits import Exit, InputError, Stopped
from engine.spec import Spec


def run(run_dir: Path) -> int:
    """Run the attempt in ``run_dir`` and return its exit code. A crash is not caught: its traceback goes to the log."""
    events = EventWriter(run_dir)
    began = time.monotonic()
    try:
        spec = Spec.read(run_dir)
        info = registry.get(spec.stage)
        params = info.params.model_validate(spec.params)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        events.write("error", code="params", message=first["msg"], where=where, mend="Change this setting and start again.")
        return Exit.INPUT
    except registry.RegistryError as error:
        events.write("error", code="stage", message=str(error), where="spec.json", mend="Choose a stage from the list.")
        return Exit.INPUT
    context = Context(run_dir, spec, events)
    events.write("started", stage=spec.stage, pid=os.getpid(), versions=versions(), device=device())
    try:
        check_inputs(info, context)
        info.run(context, params)
    except Stopped:
        return Exit.STOPPED
    except InputError as error:
        events.write("error", code=error.code, message=error.message, where=error.where, mend=error.mend)
        return Exit.INPUT
    except Exception as error:
        if not out_of_memory(error):
            events.write("error", code="crash", message=f"{type(error).__name__}: {error}", where=_place(error), mend="")
            raise
        traceback.print_exc()
        events.write(
            "error",
            code="memory",
            message="The machine ran out of memory.",
            where=spec.stage,
            mend="Make the batch smaller, the longest text shorter, or choose a smaller model.",
        )
        return Exit.MEMORY
    lacking = [role for role in info.produces if role not in context.saved_roles and not info.produces[role].endswith("?")]
    if lacking:
        raise RuntimeError(f"Stage {spec.stage} ended without handing over {', '.join(lacking)}.")
    events.write("finished", seconds=time.monotonic() - began, summary=context.summary)
    return Exit.DONE


def check_inputs(info: registry.StageInfo, context: Context) -> None:
    """Raise ``InputError`` for an input that is missing."""
    for role, (kind, required) in info.roles.items():
        folder = context.inputs.get(role)
        if folder is None and required:
            raise InputError("input", f"{info.title} needs a {kind} as its {role}.", where=role, mend="Choose one.")
        if folder is not None and not folder.is_dir():
            raise InputError("input", f"The {kind} for {role} is not on this machine.", where=str(folder), mend="Check the store.")


def out_of_memory(error: BaseException) -> bool:
    """True for Python's own memory error and for torch's, on CPU and GPU."""
    return isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error)


def device() -> str:
    """Where the stage will compute, without importing torch for it."""
    from engine.probes import usable_gpus

    names = [gpu["name"] for gpu in usable_gpus()]
    return ", ".join(names) if names else "cpu"


def _place(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
