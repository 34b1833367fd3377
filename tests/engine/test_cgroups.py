"""The limits of containers, as the kernel writes them."""

from collections.abc import Callable
from math import inf
from pathlib import Path

import pytest

from engine import cgroups, probes

Kernel = Callable[..., None]


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    """``kernel("0::/group", {"group/memory.max": "5"})``: what this process is in, and the files of the control groups."""

    def write(own: str, files: dict[str, str]) -> None:
        (tmp_path / "own").write_text(own + "\n")
        for name, text in files.items():
            (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "groups" / name).write_text(text + "\n")
        monkeypatch.setattr(cgroups, "OF_THIS_PROCESS", tmp_path / "own")
        monkeypatch.setattr(cgroups, "ROOT", tmp_path / "groups")

    return write


def test_the_tightest_of_nested_groups_counts(kernel: Kernel) -> None:
    kernel(
        "0::/outer.slice/inner.scope",
        {
            "outer.slice/inner.scope/memory.max": "max",
            "outer.slice/inner.scope/cpu.max": "350000 100000",
            "outer.slice/memory.max": "2000",
            "outer.slice/memory.current": "1500",
            "outer.slice/memory.stat": "anon 900\ninactive_file 400\nactive_file 200",
            "outer.slice/cpu.max": "max 100000",
        },
    )
    assert cgroups.memory() == (2000, 1100)
    assert cgroups.cores() == 3.5


def test_inside_a_container_its_own_group_is_the_top_one(kernel: Kernel) -> None:
    kernel("0::/", {"memory.max": "2000", "memory.current": "500", "cpu.max": "50000 100000"})
    assert cgroups.memory() == (2000, 1500)
    assert cgroups.cores() == 0.5 and probes.cores() == 1


def test_version_1_is_read_where_the_path_is_the_hosts(kernel: Kernel) -> None:
    kernel(
        "5:cpu,cpuacct:/docker/0123\n4:memory:/docker/0123\n1:name=systemd:/docker/0123",
        {
            "memory/memory.limit_in_bytes": "2000",
            "memory/memory.usage_in_bytes": "1000",
            "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 200\ntotal_active_file 100",
            "cpu/cpu.cfs_quota_us": "150000",
            "cpu/cpu.cfs_period_us": "100000",
        },
    )
    assert cgroups.memory() == (2000, 1300)
    assert cgroups.cores() == 1.5


@pytest.mark.parametrize("own", ["0::/", "4:memory:/\n3:cpu:/", "0::/../../elsewhere"])
def test_without_limits_the_machine_counts(kernel: Kernel, own: str) -> None:
    kernel(own, {"memory.max": "max", "cpu.max": "max 100000", "cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"})
    assert cgroups.memory() == (inf, inf) and cgroups.cores() == inf
    assert probes.memory()["total"] == probes.total_memory() > 2**27


def test_what_the_container_uses_is_not_available(kernel: Kernel) -> None:
    kernel("0::/job", {"job/memory.max": str(2**27), "job/memory.current": str(2**27 - 2**20)})
    assert probes.memory() == {"total": 2**27, "available": 2**20}


def test_a_group_over_its_limit_has_nothing_left(kernel: Kernel) -> None:
    kernel("0::/", {"memory.max": "1000", "memory.current": "1100"})
    assert cgroups.memory() == (1000, 0)
