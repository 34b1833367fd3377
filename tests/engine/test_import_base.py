"""A base model comes in as safetensors that speak."""

import json
from collections.abc import Callable
from pathlib import Path

from engine import manifest


def test_it_turns_a_gguf_file_into_a_speaking_safetensors_folder(base_model: Path) -> None:
    record = manifest.read(base_model)
    assert record.kind == "hf-model"
    assert record.facts["parameters"] == 134_515_008
    assert (record.facts["layers"], record.facts["hidden"], record.facts["context_length"]) == (30, 576, 8192)
    assert record.facts["family"] == "llama"
    assert "Paris" in record.facts["answer"]
    config = json.loads((base_model / "config.json").read_text())
    assert config["dtype"] == "bfloat16"
    assert "quantization_config" not in config
    assert (base_model / "chat_template.jinja").is_file()
    assert {path.suffix for path in base_model.iterdir()} <= {".safetensors", ".json", ".jinja"}


def test_it_refuses_a_place_where_no_model_is(engine_run: Callable, tmp_path: Path) -> None:
    outcome = engine_run("import_base", {"source": str(tmp_path / "none.gguf")}, {}, expect=20)
    (error,) = outcome.of("error")
    assert error["code"] == "source"
    assert error["mend"]


def test_it_refuses_a_damaged_file(engine_run: Callable, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(b"GGUF" + bytes(200))
    outcome = engine_run("import_base", {"source": str(damaged)}, {}, expect=20)
    assert outcome.of("error")[0]["code"] == "model_unreadable"
