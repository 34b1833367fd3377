"""What the tests of continued pre-training and of distillation share: documents, and a teacher that knows more than the student."""

import json
import shutil
from pathlib import Path

import pytest

from engine import manifest
from engine.lib.jsonl import write_lines
from tests.engine.stage_running import Outcome
from tests.materials import base_model_folder

TOPICS = (
    "assignment",
    "booleans",
    "class",
    "dynamic-features",
    "exceptions",
    "for",
    "function",
    "import",
    "numbers",
    "try",
    "while",
    "with",
)


def chunks_of(folder: Path, texts: dict[str, str]) -> Path:
    """A ``chunks`` artifact of these documents, version → text, as far as training on whole documents reads it."""
    (folder / "texts").mkdir(parents=True)
    rows = []
    for version, text in texts.items():
        (folder / "texts" / f"{version}.txt").write_text(text, "utf-8")
        rows.append({"id": f"d-{version}", "version": version, "status": "ok", "title": version, "text_file": f"texts/{version}.txt"})
    unread = {"id": "d-unread", "version": "unread", "status": "failed", "title": "Unread", "text_file": None}
    write_lines(folder / "documents.jsonl", [*rows, unread])
    write_lines(folder / "chunks.jsonl", [])
    manifest.write(folder, "chunks")
    return folder


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dozen topics of Python's own reference as documents."""
    from pydoc_data.topics import topics

    return chunks_of(tmp_path_factory.mktemp("reference") / "chunks", {name: topics[name] for name in TOPICS})


@pytest.fixture(scope="session")
def teacher(base_model: Path, trained: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base model after a few steps on Python's reference: of the student's family, and knowing more."""
    import torch

    from engine.lib import adapters, models

    folder = tmp_path_factory.mktemp("teacher") / "model"
    model = models.load_model(base_model, dtype=torch.float32)
    model = adapters.load_adapter(model, trained.output("adapter")).merge_and_unload()
    models.save_model(model.to(torch.bfloat16), models.load_tokenizer(base_model), folder)
    manifest.write(folder, "hf-model", facts={"name": "Teacher"})
    return folder


def tiny_model(folder: Path, *, width: int, seed: int) -> Path:
    """A small ``hf-model`` that says nothing sensible, but that firmly; with the tokenizer of the real one."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(str(base_model_folder()), local_files_only=True)
    torch.manual_seed(seed)
    sizes = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    model = LlamaForCausalLM(LlamaConfig(**sizes, **ends, vocab_size=len(tokenizer), initializer_range=0.2, tie_word_embeddings=True))
    model.save_pretrained(str(folder))
    tokenizer.save_pretrained(str(folder))
    manifest.write(folder, "hf-model", facts={"name": f"Tiny {width}"})
    return folder


@pytest.fixture(scope="session")
def tiny_student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("student") / "model", width=32, seed=1)


@pytest.fixture(scope="session")
def tiny_teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_model(tmp_path_factory.mktemp("teacher") / "model", width=48, seed=2)


def copy_of(model: Path, folder: Path) -> Path:
    return Path(shutil.copytree(model, folder, copy_function=shutil.copy))


def with_other_words(model: Path, folder: Path) -> Path:
    """``model`` with one token more in its vocabulary."""
    from transformers import AutoTokenizer

    copy_of(model, folder)
    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    tokenizer.add_tokens(["quantifier"])
    tokenizer.save_pretrained(str(folder))
    manifest.write(folder, "hf-model", facts=manifest.read(model).facts)
    return folder


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
