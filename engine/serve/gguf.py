"""GGUF models through llama.cpp."""

import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.grants import Servable
from engine.probes import cores, gpus
from engine.serve.errors import ApiError
from engine.serve.requests import Message
from engine.serve.writing import Sampling, Stopped

LONGEST_CONTEXT = 4096  # tokens; beyond that the key-value cache and the wait on a CPU outgrow a small model's use
BLOCK = 128  # tokens read at a time


def file_of(servable: Servable) -> Path:
    """The one ``*.gguf`` in the folder, or the file itself."""
    path = Path(servable.path)
    files = [path] if path.is_file() else sorted(path.glob("*.gguf"))
    if len(files) != 1:
        raise ApiError(
            500,
            "model_files",
            f"{path.name} holds {len(files)} GGUF files, not one.",
            where=str(path),
            mend="Make or import the model again.",
        )
    return files[0]


def bytes_needed(servable: Servable) -> int:
    """The file, mapped, and a quarter for the key-value cache and work space."""
    return int(file_of(servable).stat().st_size * 1.25)


class GgufModel:
    """One ``llama_cpp.Llama``, which keeps the keys and values of what it read last.

    A prompt is read in blocks counted from its first token, and only whole blocks are kept for the next prompt. So the
    numbers behind an answer do not depend on what was asked before: llama.cpp may round differently for a block of 128
    tokens than for one of 7.
    """

    def __init__(self, servable: Servable) -> None:
        import llama_cpp
        from llama_cpp.llama_chat_format import Jinja2ChatFormatter

        path = file_of(servable)
        try:
            self._llama: Any = llama_cpp.Llama(
                str(path),
                n_ctx=LONGEST_CONTEXT,
                n_batch=BLOCK,
                n_ubatch=BLOCK,
                n_threads=cores(),
                n_threads_batch=cores(),
                n_gpu_layers=-1 if gpus() else 0,
                verbose=False,
            )
        except ValueError as error:
            raise ApiError(
                500,
                "model_files",
                f"{path.name} cannot be loaded: {error}",
                where=str(path),
                mend="Make or import the model again.",
            ) from error
        self._is_end: Callable[[int], bool] = lambda token: llama_cpp.llama_vocab_is_eog(self._llama._model.vocab, token)
        self._prefix_length = llama_cpp.Llama.longest_token_prefix
        metadata = self._llama.metadata
        trained = int(metadata.get(metadata.get("general.architecture", "") + ".context_length", LONGEST_CONTEXT))
        self.context = min(self._llama.n_ctx(), trained)
        self._add_bos = metadata.get("tokenizer.ggml.add_bos_token", "true") == "true"
        self._kept: list[int] = []  # tokens of the whole blocks whose keys and values are in the cache
        template = metadata.get("tokenizer.chat_template")
        # not Llama's own chat handling: where it recognises a template it puts its own hand-written one in its place
        self._format = template and Jinja2ChatFormatter(
            template, eos_token=self._text(self._llama.token_eos()), bos_token=self._text(self._llama.token_bos())
        )

    def _text(self, token: int) -> str:
        return self._llama._model.token_get_text(token) if token != -1 else ""

    def chat_tokens(self, messages: list[Message]) -> list[int]:
        if not self._format:
            raise no_chat_template()
        try:
            prompt = self._format(messages=[message.model_dump() for message in messages]).prompt
        except Exception as error:  # the template is the model's own code and may refuse a role or an order of turns in any way
            raise refused_by_template(error) from error
        return self._llama.tokenize(prompt.encode(), add_bos=False, special=True)  # the template writes its own first token

    def text_tokens(self, text: str) -> list[int]:
        return self._llama.tokenize(text.encode(), add_bos=self._add_bos, special=False)

    def generate(
        self,
        tokens: list[int],
        sampling: Sampling,
        most: int,
        write: Callable[[str], bool],
        stopped: Callable[[], bool],
    ) -> None:
        llama = self._llama
        self._read(tokens, stopped)
        llama.set_seed(0xFFFFFFFF if sampling.seed is None else sampling.seed)  # llama.cpp draws a seed of its own for this one
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        answer = llama.generate([], reset=False, temp=sampling.temperature, top_p=sampling.top_p, top_k=0, min_p=0.0, repeat_penalty=1.0)
        for token in answer:
            if self._is_end(token):
                break
            if not write(decoder.decode(llama.detokenize([token]))):
                break
        answer.close()

    def _read(self, tokens: list[int], stopped: Callable[[], bool]) -> None:
        """Put the prompt into the cache, from the first block that is not there yet; its last token is read anew."""
        llama = self._llama
        same = min(self._prefix_length(self._kept, tokens), len(tokens) - 1) // BLOCK * BLOCK
        if same and llama._ctx.kv_cache_seq_rm(-1, same, -1):
            llama.n_tokens = same
        else:  # nothing shared, or a recurrent model, whose memory cannot be cut
            same = 0
            llama.reset()
        self._kept = tokens[:same]
        for begin in range(same, len(tokens), BLOCK):
            if stopped():
                raise Stopped
            block = tokens[begin : begin + BLOCK]
            llama.eval(block)
            if len(block) == BLOCK:
                self._kept = tokens[: begin + BLOCK]

    def close(self) -> None:
        self._llama.close()


def no_chat_template() -> ApiError:
    return ApiError(
        400,
        "no_chat_template",
        "This model has no chat template: it only continues texts.",
        where="model",
        mend="Ask /v1/completions, or train it on conversations first.",
    )


def refused_by_template(error: Exception) -> ApiError:
    return ApiError(
        400,
        "messages",
        f"The model's chat template refuses these messages: {error}",
        where="messages",
        mend="Leave out the system message, and let user and assistant take turns.",
    )
