"""A wrong data file is said at start-up."""

from pathlib import Path

import pytest

from catalogue import families
from catalogue.checks import base_models_are_valid
from catalogue.selectors import chattable
from projects.models import Project
from tests.catalogue import made


@pytest.mark.parametrize("content", ["not = [toml", "", '[model.x]\nfamily = "nobody"\n'])
def test_a_wrong_file_of_base_models_is_an_error_of_the_check(content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert base_models_are_valid(None) == []
    file = tmp_path / "base_models.toml"
    file.write_text(content)
    monkeypatch.setattr(families, "DATA", file)
    families.load.cache_clear()
    try:
        (error,) = base_models_are_valid(None)
    finally:
        families.load.cache_clear()
    assert error.id == "catalogue.E001"


def test_a_projects_models_and_imported_base_models_can_be_chatted_with(project: Project) -> None:
    base = made.base()
    tuned = made.adapter(project, base, made.dataset(project))
    assert chattable(project) == [tuned, base]
