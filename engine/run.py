"""Run one attempt: read spec.json, call the stage, end with an exit code that says how it went."""

import errno
import os
import time
import traceback
from pathlib import Path

from pydantic import ValidationError

from engine import memory, ranks, registry
from engine.context import Context, versions
from engine.events import EventWriter
from engine.exits import Exit, InputError, Stopped
from engine.spec import Spec

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # on the disk, for this user, in one file
MEND_DISK = "Free some disk. A run that can be resumed then goes on from its last checkpoint; any other is started again."


def run(run_dir: Path) -> int:
    """Run the attempt in ``run_dir`` and return its exit code. A crash is not caught: its traceback goes to the log."""
    with memory.limit_kept():
        return _run(run_dir)


def _run(run_dir: Path) -> int:
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
    count = getattr(params, "processes", 1)
    if count > 1 and not ranks.is_member():
        return ranks.lead(run_dir, count)
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
        if disk_full(error):
            traceback.print_exc()
            events.write("error", code="disk", message="The disk is full.", where=str(run_dir), mend=MEND_DISK)
            return Exit.INPUT
        if not memory.out_of_memory(error):
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
    if lacking and ranks.is_first():
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


def disk_full(error: BaseException) -> bool:
    """True where a file could not be written because there is no room for it. Libraries have errors of their own for that."""
    words = str(error)
    return (isinstance(error, OSError) and error.errno in NO_ROOM) or any(os.strerror(code) in words for code in NO_ROOM)


def device() -> str:
    """Where the stage will compute, without importing torch for it."""
    from engine.probes import usable_gpus

    names = [gpu["name"] for gpu in usable_gpus()]
    return ", ".join(names) if names else "cpu"


def _place(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
