"""A machine without enough memory: a training says so, and is not ended by the system without a word."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.python_topics import write_dataset
from engine.exits import Exit
from engine.spec import Spec
from tests.engine.stage_running import ROOT, Outcome, engine_start

GIGABYTE = 10**9
LARGE = {"batch_size": 16, "max_steps": 2, "epochs": 5, "max_length": 512, "general_rows": 0, "eval_rows": 2}


# In a process of its own: one that has freed much has room that nobody need be asked for
REFUSED = """
import resource
from engine import memory, probes

probes.memory = lambda: {"total": 64_000_000_000, "available": 250_000_000}
of_onednn = RuntimeError("could not create a primitive")
before = resource.getrlimit(resource.RLIMIT_DATA)
with memory.limit_kept():
    assert not memory.out_of_memory(of_onednn)  # nothing is refused yet: it means something else
    memory.refuse_more_than_there_is()
    assert len(bytearray(100_000_000)) == 100_000_000
    try:
        bytearray(500_000_000)
        raise SystemExit("It got more than there is")
    except MemoryError as error:
        assert memory.out_of_memory(error) and memory.out_of_memory(of_onednn)
assert resource.getrlimit(resource.RLIMIT_DATA) == before
assert len(bytearray(500_000_000)) == 500_000_000
"""


def test_no_more_may_be_taken_than_the_machine_has_left_and_only_for_the_time() -> None:
    subprocess.run([sys.executable, "-c", REFUSED], cwd=ROOT, check=True)


@pytest.mark.slow
def test_a_training_that_does_not_fit_makes_its_steps_smaller_or_says_why_it_ends(tmp_path: Path, base_model: Path) -> None:
    dataset = write_dataset(tmp_path / "dataset", train=32, validation=4, test=4)
    folder = tmp_path / "run"
    folder.mkdir()
    process = engine_start(folder, Spec(stage="sft", params=LARGE, inputs={"model": str(base_model), "dataset": str(dataset)}))
    resource.prlimit(process.pid, resource.RLIMIT_DATA, (5 * GIGABYTE // 2, 5 * GIGABYTE // 2))  # it takes four
    done = Outcome(process.wait(timeout=300), folder)
    assert [warning["code"] for warning in done.of("warning")][:1] == ["memory"], done.log
    assert "8 of 16 rows are read at once" in done.of("warning")[0]["message"]
    if done.code == Exit.DONE:
        assert len(done.metric("train_loss")) == 2
    else:  # what computes matrices may be of no use once it was refused memory; then it is said
        assert done.code == Exit.MEMORY and done.of("error")[0]["message"] == "The machine ran out of memory."
