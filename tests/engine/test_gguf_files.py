"""What llama.cpp's converter says reaches the person who needs it."""

from pathlib import Path

import pytest

from engine.exits import InputError
from engine.lib import gguf_files


def test_a_failed_conversion_tells_the_last_words_and_logs_all_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / gguf_files.CONVERTER).write_text("import sys; print('reading tensors', flush=True); sys.exit('Model X is not supported')")
    monkeypatch.setenv("STUDIO_CONVERTER", str(tmp_path))
    with pytest.raises(InputError, match="Model X is not supported"):
        gguf_files.convert(tmp_path / "model", tmp_path / "out.gguf", tmp_path / "convert.log")
    assert "reading tensors" in capfd.readouterr().err
