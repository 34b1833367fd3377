"""Hugging Face models, and PEFT adapters and soft prompts on them, through transformers in bf16."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.exits import InputError
from engine.grants import Servable
from engine.lib import adapters, virtual_tokens
from engine.probes import cores
from engine.serve.errors import ApiError
from engine.serve.gguf import LONGEST_CONTEXT, no_chat_template, refused_by_template
from engine.serve.requests import Message
from engine.serve.writing import Sampling, Stopped


def bytes_needed(servable: Servable) -> int:
    """The weights' files, of base and adapter, and a quarter for the key-value cache and work space."""
    folders = [Path(servable.path)] + ([Path(servable.base)] if servable.base else [])
    return int(sum(file.stat().st_size for folder in folders for file in folder.glob("*.safetensors")) * 1.25)


class HfModel:
    """A causal language model, and on it, unmerged and so exactly as trained, the adapter that the last caller asked for.

    Adapters of one base take turns: its weights are in memory once, and putting on another takes a moment.
    """

    def __init__(self, servable: Servable) -> None:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

        torch.set_num_threads(cores())
        device = "cuda" if torch.cuda.is_available() else "cpu"
        folder = Path(servable.path)
        base = Path(servable.base) if servable.base else folder
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder if has_tokenizer(folder) else base, local_files_only=True)
            model: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16, local_files_only=True, use_safetensors=True)
            ends = model.generation_config.eos_token_id
        except (OSError, ValueError) as error:
            raise unloadable(folder, error) from error
        if len(self._tokenizer) > model.get_input_embeddings().num_embeddings:  # training added tokens, a chat template's for instance
            model.resize_token_embeddings(len(self._tokenizer))
        self._model = model.to(device).eval()
        self._device = device
        self._longest = min(getattr(model.config, "max_position_embeddings", None) or LONGEST_CONTEXT, LONGEST_CONTEXT)
        self._ends = {end for end in (ends if isinstance(ends, list) else [ends]) + [self._tokenizer.eos_token_id] if end is not None}
        # the model's own sampling defaults are dropped: a request means the same for every model
        model.generation_config = GenerationConfig(
            do_sample=False,
            eos_token_id=sorted(self._ends) or None,
            pad_token_id=min(self._ends, default=0),
            use_cache=True,
        )
        self._worn: str | None = None
        self.wear(servable)

    @property
    def context(self) -> int:
        return self._longest - virtual_tokens.count(self._model)

    def wear(self, servable: Servable) -> None:
        """Answer as ``servable`` from now on: with its adapter, or as the base itself.

        Raises ``ApiError`` for an adapter that cannot be loaded; the model is of no use to anybody then.
        """
        adapter = servable.path if servable.base else None
        if adapter == self._worn:
            return
        if self._worn is not None:
            self._model = adapters.take_off(self._model)
            self._worn = None
        if adapter is not None:
            if not (Path(adapter) / "adapter_model.safetensors").is_file():
                raise unloadable(Path(adapter), FileNotFoundError("it has no adapter_model.safetensors"))
            try:
                self._model = adapters.load_adapter(self._model, Path(adapter)).to(self._device)
            except InputError as error:
                raise unloadable(Path(adapter), error) from error
            self._worn = adapter

    def chat_tokens(self, messages: list[Message]) -> list[int]:
        if not self._tokenizer.chat_template:
            raise no_chat_template()
        try:
            prompt = self._tokenizer.apply_chat_template(
                [message.model_dump() for message in messages], tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # the template is the model's own code and may refuse a role or an order of turns in any way
            raise refused_by_template(error) from error
        return self._tokenizer(prompt, add_special_tokens=False)["input_ids"]

    def text_tokens(self, text: str) -> list[int]:
        return self._tokenizer(text)["input_ids"]

    def generate(
        self,
        tokens: list[int],
        sampling: Sampling,
        most: int,
        write: Callable[[str], bool],
        stopped: Callable[[], bool],
    ) -> None:
        import torch
        from transformers import LogitsProcessorList, StoppingCriteriaList

        if stopped():
            raise Stopped
        pieces = Pieces(self._tokenizer)
        done = False

        def enough(ids: Any, scores: Any, **_: Any) -> Any:
            nonlocal done  # on a GPU generate() takes one step more after a stop
            token = int(ids[0, -1])
            done = done or token in self._ends or not write(pieces.add(token))
            return torch.full((1,), done, device=ids.device, dtype=torch.bool)

        ids = torch.tensor([tokens], device=self._device)
        with torch.inference_mode():
            self._model.generate(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=most,
                logits_processor=LogitsProcessorList([_sampler(sampling)] if sampling.temperature else []),
                stopping_criteria=StoppingCriteriaList([enough]),
            )

    def close(self) -> None:
        self._model = None


def has_tokenizer(folder: Path) -> bool:
    return (folder / "tokenizer_config.json").is_file()


def unloadable(folder: Path, error: Exception) -> ApiError:
    return ApiError(
        500,
        "model_files",
        f"{folder.name} cannot be loaded: {error}",
        where=str(folder),
        mend="Make or import the model again.",
    )


def _sampler(sampling: Sampling) -> Callable[[Any, Any], Any]:
    """A logits processor that draws by a generator of its own and leaves generate() no choice.

    generate() itself draws from the process's one generator, which a request to another model would disturb.
    """
    import torch
    from transformers import TemperatureLogitsWarper, TopPLogitsWarper

    draw = torch.Generator()
    if sampling.seed is None:
        draw.seed()
    else:
        draw.manual_seed(sampling.seed)
    warm = TemperatureLogitsWarper(sampling.temperature)
    nucleus = TopPLogitsWarper(sampling.top_p) if sampling.top_p < 1 else None

    def choose(ids: Any, scores: Any) -> Any:
        scores = warm(ids, scores)
        if nucleus:
            scores = nucleus(ids, scores)
        token = torch.multinomial(scores.softmax(-1).cpu(), 1, generator=draw).to(scores.device)
        return torch.full_like(scores, -torch.inf).scatter(1, token, 0.0)

    return choose


class Pieces:
    """The text that each token adds, decoded together with those before it: a tokenizer's spaces depend on them."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._before: list[int] = []  # tokens whose text has left, the last few
        self._new: list[int] = []  # tokens whose text has not: half a character as yet

    def add(self, token: int) -> str:
        self._new.append(token)
        old = self._decode(self._before)
        text = self._decode(self._before + self._new)
        if text.endswith("\ufffd") and len(self._new) < 5:  # a character has at most four bytes
            return ""
        self._before, self._new = (self._before + self._new)[-5:], []
        return text[len(old) :]

    def _decode(self, tokens: list[int]) -> str:
        return self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
