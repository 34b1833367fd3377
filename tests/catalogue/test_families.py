"""The data file of base models, and what is refused in one."""

import copy
import tomllib
from typing import Any

import pytest

from catalogue import families

DATA = tomllib.loads(families.DATA.read_text("utf-8"))


def test_every_family_of_the_guides_is_there() -> None:
    assert {"gemma-2", "phi-3", "phi-4", "mistral", "llama-3-2", "smollm2", "gemma-3"} <= {
        model.family.key for model in families.load().values()
    }


def test_sizes_are_those_of_the_guides() -> None:
    sizes = {key: model.size for key, model in families.load().items()}
    assert sizes["smollm2-135m-instruct"] == "135M"
    assert sizes["phi-3-mini-4k-instruct"] == "3.8B"
    assert sizes["phi-3-medium-4k-instruct"] == "14B"


def test_the_packaged_model_is_found_without_importing_its_package() -> None:
    place = families.load()["smollm2-135m-instruct"].source.local()
    assert place is not None
    assert place.suffix == ".gguf"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"family": "nobody"}, "no family"),
        ({"parameters": 0}, "above zero"),
        ({"context": "long"}, "above zero"),
        ({"memory_4bit": 10**12}, "4-bit"),
        ({"source": {}}, "either"),
        ({"source": {"package": "x"}}, "no file"),
        ({"source": {"package": "x", "file": "y", "parts": ["x/1"]}}, "sha256"),
        ({"benchmarks": {"MMLU": 140}}, "percent"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_wrong_entry_is_refused_by_name(changes: dict[str, Any], says: str) -> None:
    data = copy.deepcopy(DATA)
    data["model"]["phi-4"] |= changes
    with pytest.raises(families.CatalogueError, match=f"(?s)phi-4.*{says}"):
        families.parse(data)


def test_parts_count_only_when_all_are_there() -> None:
    assert (
        families.Source(package="catalogue", file="x", parts=("catalogue/apps.py", "catalogue/nothing.py"), sha256="0" * 64).local() is None
    )
    whole = families.Source(package="catalogue", file="x", parts=("catalogue/apps.py", "catalogue/urls.py"), sha256="0" * 64)
    assert [file.name for file in whole.part_files()] == ["apps.py", "urls.py"]
