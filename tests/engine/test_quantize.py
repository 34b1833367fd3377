"""A GGUF file is handed over only when it answers like the model."""

import shutil
from collections.abc import Callable
from pathlib import Path

from engine import manifest
from engine.lib import gguf_files, models


def test_the_file_answers_like_the_model(engine_run: Callable, base_model: Path) -> None:
    outcome = engine_run("quantize", {"level": "q8_0"}, {"model": base_model})
    folder = outcome.output("model")
    record = manifest.verify(folder)
    (name,) = record.files
    assert name == record.facts["file"] == "model-q8_0.gguf"
    assert record.facts["bytes"] < 0.6 * manifest.read(base_model).bytes
    assert "Paris" in record.facts["answer"]
    assert record.facts["token_agreement"] == 1
    assert record.facts["prompt_tokens_equal"] is True
    assert not list((outcome.folder / "work").glob("*.gguf"))


def test_k_quants_apply_where_rows_divide_by_256(engine_run: Callable, base_model: Path, tmp_path: Path) -> None:
    import torch
    from gguf import GGUFReader
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = models.load_tokenizer(base_model)
    sizes = {"hidden_size": 256, "intermediate_size": 512, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(**sizes, vocab_size=len(tokenizer), bos_token_id=1, eos_token_id=2, tie_word_embeddings=True)
    folder = tmp_path / "random"
    models.save_model(LlamaForCausalLM(config).to(torch.bfloat16), tokenizer, folder)
    manifest.write(folder, "hf-model", facts={"parameters": 1})
    outcome = engine_run("quantize", {"level": "q4_k_m"}, {"model": folder})
    (path,) = outcome.output("model").glob("*.gguf")
    kinds = {tensor.tensor_type.name for tensor in GGUFReader(path).tensors}
    assert "Q4_K" in kinds
    assert not kinds & {"Q5_0", "Q8_0"}  # nothing fell back


def test_it_says_how_to_install_the_converter_when_it_is_missing(engine_run: Callable, base_model: Path, tmp_path: Path) -> None:
    outcome = engine_run("quantize", {}, {"model": base_model}, expect=20, STUDIO_CONVERTER=str(tmp_path))
    (error,) = outcome.of("error")
    assert error["code"] == "converter"
    assert "pip install" in error["mend"]


SPOILING = """
import runpy, sys
import numpy
from gguf import GGUFReader
from pathlib import Path

runpy.run_path({converter!r}, run_name="__main__")
file = Path(sys.argv[sys.argv.index("--outfile") + 1])
for tensor in GGUFReader(file, "r+").tensors:
    if "ffn_down" in tensor.name:
        numpy.random.default_rng(0).shuffle(tensor.data)
"""


def test_it_refuses_a_file_that_talks_nonsense(engine_run: Callable, base_model: Path, tmp_path: Path) -> None:
    """A converter that writes the rows of some weights in another order: the file loads, and speaks."""
    real = gguf_files.converter_folder()
    folder = tmp_path / "converter"
    shutil.copytree(real, folder)
    (folder / gguf_files.CONVERTER).write_text(SPOILING.format(converter=str(real / gguf_files.CONVERTER)))
    outcome = engine_run("quantize", {"level": "q8_0"}, {"model": base_model}, expect=20, STUDIO_CONVERTER=str(folder))
    (error,) = outcome.of("error")
    assert error["code"] == "broken_export"
    assert not outcome.of("artifact")
