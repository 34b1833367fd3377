"""What the machine says of itself, even when it says it badly."""

import ctypes
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

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


@pytest.mark.parametrize(("says", "found"), [("echo 7.5; echo 8.6", (7, 5)), ("echo 'Field \"compute_cap\" is not valid'; exit 2", (0, 0))])
def test_what_a_gpu_can_compute_is_told_by_its_driver(nvidia_smi: Callable[[str], None], says: str, found: tuple[int, int]) -> None:
    nvidia_smi(says)
    assert probes.compute_capability.__wrapped__() == found


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


def test_packages_that_are_not_installed_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "OPTIONAL", ("bitsandbytes", "no-such-package"))
    assert probes.packages.__wrapped__() == {"bitsandbytes": version("bitsandbytes")}


class Driver:
    """Stands in for NVIDIA's library: one GPU, 63 percent busy. Calls that succeed return 0."""

    def nvmlDeviceGetHandleByUUID(self, uuid: bytes, handle: Any) -> int:
        handle._obj.value = 7
        return 0 if uuid == b"GPU-1" else 6

    def nvmlDeviceGetUtilizationRates(self, handle: ctypes.c_void_p, found: Any) -> int:
        found._obj.gpu, found._obj.memory = 63, 5
        return 0 if handle.value == 7 else 2


def test_the_driver_says_how_busy_a_gpu_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "_nvml", Driver)
    assert (probes.gpu_utilisation("GPU-1"), probes.gpu_utilisation("GPU-2")) == (63.0, None)


@pytest.mark.parametrize("library", [None, SimpleNamespace(nvmlInit_v2=lambda: 9)])
def test_without_a_driver_that_answers_it_is_not_known_how_busy_a_gpu_is(library: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Any:
        if library is None:
            raise OSError(f"{name}: cannot open shared object file")
        return library

    monkeypatch.setattr(probes.ctypes, "CDLL", load)
    monkeypatch.setattr(probes, "_nvml", probes._nvml.__wrapped__)
    assert probes.gpu_utilisation("GPU-1") is None


def test_what_the_launcher_asks_needs_nothing_installed() -> None:
    asked = "total_memory cores gpus torch_has_cuda packages"
    code = f"from engine import probes; [getattr(probes, name)() for name in '{asked}'.split()]"
    assert subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT).returncode == 0


def test_memory_cores_and_disk_are_told(tmp_path: Path) -> None:
    assert 0 < probes.memory()["available"] <= probes.memory()["total"]
    assert probes.cores() >= 1
    assert 0 < probes.disk(tmp_path)["free"] <= probes.disk(tmp_path)["total"]
