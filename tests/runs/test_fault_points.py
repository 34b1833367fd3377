"""No fault point is forgotten: each one that stands in the code is one that a test dies at."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"fault\(\s*\"([a-z_.]+)\"")
TESTS = ["tests/runs/test_supervising.py", "tests/runs/test_artifact_store.py", "tests/retrieval/test_taking_in.py"]


def test_every_fault_point_in_the_code_has_a_test_that_dies_there() -> None:
    apps = ["engine", "runs", "catalogue", "retrieval", "curation", "training", "evaluation", "planning", "playground"]
    there = {name for app in apps for file in (ROOT / app).rglob("*.py") for name in NAMED.findall(file.read_text("utf-8"))}
    tests = "\n".join((ROOT / file).read_text("utf-8") for file in TESTS)
    assert len(there) >= 20
    assert sorted(name for name in there if f'"{name}"' not in tests) == []
