"""Two processes that train one model learn what one learns: with a copy each, and with a part each."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from engine import manifest
from engine.ranks import RENDEZVOUS
from engine.spec import Spec
from tests.engine.stage_running import ROOT, Outcome, engine_start

STEPS = {
    "max_steps": 3, "batch_size": 3, "gradient_accumulation": 2, "precision": "fp32", "warmup_ratio": 0.0, "eval_every": 3, "eval_rows": 2,
    "general_rows": 0, "checkpoint_every": 2,
}  # fmt: skip


@pytest.mark.parametrize(("stage", "shard"), [("sft", False), ("sft", True), ("sft_full", True)])
def test_two_processes_learn_what_one_learns(engine_run: Callable, tiny_student: Path, topics: Path, stage: str, shard: bool) -> None:
    inputs = {"model": tiny_student, "dataset": topics}
    one = engine_run(stage, STEPS, inputs, seed=3)
    two = engine_run(stage, STEPS | {"processes": 2, "shard": shard}, inputs, seed=3)
    for metric in ("train_loss", "grad_norm", "eval_loss"):
        assert two.metric(metric) == pytest.approx(one.metric(metric), rel=1e-4), metric
    assert two.of("finished")[0]["summary"]["all_tokens"] == one.of("finished")[0]["summary"]["all_tokens"]
    (made,) = two.of("artifact")
    record, alone = manifest.verify(two.output(made["role"])), manifest.read(one.output(made["role"]))
    assert {name: file.bytes for name, file in record.files.items()} == {name: file.bytes for name, file in alone.files.items()}
    said = [log["message"] for log in two.of("log") if "This process keeps" in log["message"]]
    if shard:
        here, all_of_them = (int(number.replace(",", "")) for number in re.findall(r"[\d,]+\d", said[0]))
        embeddings = 32 * vocabulary_of(tiny_student) + 32  # and the last norm, which stay whole
        assert here - embeddings == pytest.approx((all_of_them - embeddings) / 2, rel=0.02)
    else:
        assert not said


IN_ANOTHER_ORDER = """
import os, torch
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
from engine.lib.training import team
rank = team.join().rank
weight = distribute_tensor(torch.zeros(4, 3), init_device_mesh("cpu", (2,)), [Shard(0)])
saved = {"first": torch.full((4, 3), 1.0), "second": torch.full((4, 3), 2.0)}
order = sorted(saved, reverse=rank == 1)  # as that of a set of names, which differs between processes
parts = {name: team.like(saved[name], weight).to_local() for name in order}
assert all(part.shape == (2, 3) and bool((part == saved[name][:2]).all()) for name, part in parts.items()), parts
"""


def test_what_each_restores_is_the_same_in_whatever_order_it_does_so(tmp_path: Path) -> None:
    environment = os.environ | {"WORLD_SIZE": "2", RENDEZVOUS: str(tmp_path / "meeting")}
    command = [sys.executable, "-c", IN_ANOTHER_ORDER]
    members = [subprocess.Popen(command, cwd=ROOT, env=environment | {"RANK": str(rank)}) for rank in range(2)]
    assert [member.wait(timeout=120) for member in members] == [0, 0]


def test_several_end_with_the_one_that_dies_and_stop_together(tiny_student: Path, topics: Path, tmp_path: Path) -> None:
    several = {"processes": 2, "shard": True, "batch_size": 1, "gradient_accumulation": 1, "eval_every": 1000, "checkpoint_every": 5}
    params = STEPS | several | {"max_steps": 1000, "epochs": 50}
    spec = Spec(stage="sft", params=params, inputs={"model": str(tiny_student), "dataset": str(topics)}, seed=3)
    killed, process = begun(tmp_path / "first", spec, steps=6)
    psutil.Process(process.pid).children()[1].kill()
    assert process.wait(timeout=60) == -signal.SIGKILL
    assert not alive_in(tmp_path / "first")

    checkpoint = killed.folder / killed.of("checkpoint")[-1]["path"]
    again = spec.model_copy(update={"resume_from": str(checkpoint)})
    stopped, process = begun(tmp_path / "second", again, steps=3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=120) == 10, stopped.log
    steps = sorted(stopped.metric("train_loss"))
    assert steps[0] == killed.of("checkpoint")[-1]["step"] + 1
    assert stopped.of("checkpoint")[-1]["step"] == steps[-1]
    both = killed.metric("train_loss")
    assert {step: loss for step, loss in stopped.metric("train_loss").items() if step in both} == pytest.approx(
        {step: both[step] for step in steps if step in both}, abs=1e-6
    )
    assert manifest.verify(stopped.output("adapter")).facts["partial"] is True


def test_processes_that_accelerate_launched_find_one_another(
    engine_run: Callable, tiny_student: Path, topics: Path, tmp_path: Path
) -> None:
    inputs = {"model": tiny_student, "dataset": topics}
    one = engine_run("sft", STEPS, inputs, seed=3)
    two = Outcome(-1, tmp_path / "launched")
    Spec(stage="sft", params=STEPS, inputs={role: str(path) for role, path in inputs.items()}, seed=3).write(two.folder)
    launch = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "--num_machines", "1", "--mixed_precision", "no"]
    with open(two.folder / "log.txt", "wb") as log:
        code = subprocess.run(
            [sys.executable, *launch, "--main_process_port", "0", "-m", "engine", "run", str(two.folder)], cwd=ROOT, stdout=log, stderr=log,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}, timeout=300,
        ).returncode  # fmt: skip
    assert code == 0, two.log
    for metric in ("train_loss", "grad_norm", "eval_loss"):
        assert two.metric(metric) == pytest.approx(one.metric(metric), rel=1e-4), metric


def vocabulary_of(model: Path) -> int:
    return int(json.loads((model / "config.json").read_text())["vocab_size"])


def begun(folder: Path, spec: Spec, steps: int) -> tuple[Outcome, subprocess.Popen[bytes]]:
    """A training that has told of so many steps."""
    process, outcome = engine_start(folder, spec), Outcome(-1, folder)
    deadline = time.monotonic() + 180
    while len(outcome.metric("train_loss")) < steps and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.poll() is None, outcome.log
    return outcome, process


def alive_in(folder: Path) -> list[int]:
    """Processes that still work on the attempt in ``folder``."""
    return [one.pid for one in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(one.info["cmdline"] or [])]
