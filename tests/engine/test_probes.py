"""What the machine says of itself, even when it says it badly."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import probes, run
from tests.materials import ROOT


@pytest.fixture
def nvidia_smi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """``nvidia_smi(script)``: the program of that name runs these lines of shell."""

    def install(script: str) -> None:
        program = tmp_path / "nvidia-smi"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    return install


def test_a_gpu_is_found_with_its_name_and_memory(nvidia_smi: Callable[[str], None]) -> None:
    nvidia_smi("echo 'NVIDIA H200, 143771'")
    assert probes.gpus.__wrapped__() == [{"name": "NVIDIA H200", "memory_bytes": 143771 * 2**20}]


def test_a_gpu_that_shares_the_machines_memory_has_all_of_it(nvidia_smi: Callable[[str], None]) -> None:
    nvidia_smi("echo 'NVIDIA GB10, [N/A]'")
    assert probes.gpus.__wrapped__() == [{"name": "NVIDIA GB10", "memory_bytes": probes.memory()["total"]}]


def test_a_driver_that_does_not_answer_is_no_gpu(nvidia_smi: Callable[[str], None]) -> None:
    nvidia_smi("echo 'Failed to initialize NVML: Driver mismatch, versions differ'; exit 18")
    assert probes.gpus.__wrapped__() == []


def test_an_error_line_with_a_comma_is_no_gpu(nvidia_smi: Callable[[str], None]) -> None:
    nvidia_smi("echo 'Unable to determine the device handle for GPU0: Unknown Error, reboot'; echo 'NVIDIA H200, 143771'")
    assert [gpu["name"] for gpu in probes.gpus.__wrapped__()] == ["NVIDIA H200"]


def test_a_driver_that_hangs_is_no_gpu(nvidia_smi: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "GPU_PATIENCE", 0.2)
    nvidia_smi("exec sleep 20")
    assert probes.gpus.__wrapped__() == []


@pytest.mark.parametrize(("cuda", "hidden", "said"), [("'12.8'", "0", "H200"), ("None", "0", "cpu"), ("'12.8'", "", "cpu")])
def test_a_run_computes_on_a_gpu_only_when_its_torch_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cuda: str, hidden: str, said: str
) -> None:
    (tmp_path / "version.py").write_text(f"__version__ = '2.13.0'\ncuda: Optional[str] = {cuda}\nhip: Optional[str] = 'x'\n")
    monkeypatch.setattr(probes, "find_spec", lambda name: SimpleNamespace(origin=str(tmp_path / "__init__.py")))
    monkeypatch.setattr(probes, "torch_has_cuda", probes.torch_has_cuda.__wrapped__)
    monkeypatch.setattr(probes, "gpus", lambda: [{"name": "H200", "memory_bytes": 1}])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert run.device() == said


def test_what_the_launcher_asks_needs_nothing_installed() -> None:
    code = "from engine import probes; probes.total_memory(), probes.cores(), probes.gpus(), probes.torch_has_cuda()"
    assert subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT).returncode == 0


def test_memory_cores_and_disk_are_told(tmp_path: Path) -> None:
    assert 0 < probes.memory()["available"] <= probes.memory()["total"]
    assert probes.cores() >= 1
    assert 0 < probes.disk(tmp_path)["free"] <= probes.disk(tmp_path)["total"]
