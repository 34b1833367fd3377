"""Whole documents as training material: read, split by document, and packed into blocks of tokens."""

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from engine.exits import InputError
from engine.lib import chat_rows, passages

if TYPE_CHECKING:
    import numpy as np

# What ends a text in pre-training, by family; the token that ends a chat model's turn is another one
ENDS_OF_TEXT = ("<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|end▁of▁sentence|>")


@dataclass(frozen=True)
class Document:
    """``id`` is the version's of a read document, or the name of a text file."""

    id: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_documents(chunks: Path, raw: Path | None = None) -> list[Document]:
    """The texts of a ``chunks`` artifact and of the ``*.txt`` files of a ``text`` artifact, each text once. Raises ``InputError``."""
    found = [_read(chunks, row["text_file"], row["version"]) for row in passages.documents_of(chunks)]
    if raw is not None:
        found += [_read(raw, path.relative_to(raw).as_posix(), path.stem) for path in sorted(raw.rglob("*.txt"))]
    by_text = {document.sha256: document for document in found if document.text.strip()}
    return list(by_text.values())


def _read(folder: Path, name: str, id: str) -> Document:
    try:
        return Document(id, (folder / name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "text_unreadable",
            f"A text cannot be read: {error}",
            where=name,
            mend="Read the documents again; text files have to be in UTF-8.",
        ) from error


def cited(dataset: Path) -> set[str]:
    """The versions of the documents that the training and validation pairs of a ``dataset`` artifact come from. Raises ``InputError``."""
    from engine.lib.jsonl import read_lines

    rows = (
        row
        for split in ("train", "validation")
        if (path := dataset / f"{split}.jsonl").is_file()
        for row in read_lines(path, code="dataset", mend="Cut the dataset version again.")
    )
    return {str(source["version"]) for row in rows for source in row.get("sources") or () if source.get("version")}


def split(documents: Sequence[Document], share: float) -> tuple[list[Document], list[Document]]:
    """Documents to learn from, and about ``share`` of all text to validate on, in whole documents.

    Which they are depends on the documents alone and not on a seed, so that runs can be compared. With a single document there is nothing
    to hold out.
    """
    drawn = sorted(documents, key=lambda document: document.sha256)
    room = share * sum(len(document.text) for document in drawn)
    held: list[Document] = []
    for document in drawn:
        if len(document.text) <= room:
            held.append(document)
            room -= len(document.text)
    if not held and share and len(drawn) > 1:
        held = [min(drawn, key=lambda document: len(document.text))]
    chosen = {document.id for document in held}
    return [document for document in documents if document.id not in chosen], held


class Blocks(Sequence[chat_rows.Encoded]):
    """A stream of tokens cut into texts of ``length`` tokens; the last one is shorter.

    Each block begins with the last token of the one before, so that every token but the very first is predicted once.
    """

    def __init__(self, tokens: "np.ndarray", length: int, split: str) -> None:
        self.tokens, self._length, self._split = tokens, length, split
        self._answer = [False] + [True] * (length - 1)

    def __len__(self) -> int:
        return -(-(len(self.tokens) - 1) // (self._length - 1)) if len(self.tokens) > 1 else 0

    @overload
    def __getitem__(self, number: int) -> chat_rows.Encoded: ...
    @overload
    def __getitem__(self, number: slice) -> list[chat_rows.Encoded]: ...
    def __getitem__(self, number: int | slice) -> chat_rows.Encoded | list[chat_rows.Encoded]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        number = range(len(self))[number]
        start = number * (self._length - 1)
        ids = self.tokens[start : start + self._length].tolist()
        answer = self._answer if len(ids) == self._length else self._answer[: len(ids)]
        return chat_rows.Encoded(chat_rows.Row(f"block-{number + 1}", [], self._split, number + 1), ids, answer)


def pack(documents: Iterable[Document], tokenizer: Any, length: int, split: str, seed: int | None = None) -> Blocks:
    """``documents`` one after another, the end-of-text token after each, as blocks of ``length`` tokens; their order is drawn by ``seed``.

    Blocks run across the ends of documents, and attention does too: a token sees what stands before it in its block, be it of the document
    before. The end-of-text token is what tells the model that something new begins, as in pre-training (Brown et al. 2020, GPT-3).
    """
    import numpy as np

    order = list(documents)
    if seed is not None:
        random.Random(seed).shuffle(order)
    parts = [np.asarray(ids, dtype=np.int32) for ids in _tokens(order, tokenizer)]
    return Blocks(np.concatenate(parts) if parts else np.empty(0, np.int32), length, split)


def _tokens(documents: Iterable[Document], tokenizer: Any) -> Iterator[list[int]]:
    empty = tokenizer("")["input_ids"]
    start = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None and empty[:1] == [tokenizer.bos_token_id] else []
    end = end_of_text(tokenizer)
    for document in documents:
        yield start + tokenizer(document.text, add_special_tokens=False, verbose=False)["input_ids"] + [end]


def end_of_text(tokenizer: Any) -> int:
    """The token that ends a text. For a chat model it is not the one that ends an answer."""
    known = tokenizer.get_vocab()
    return int(next((known[token] for token in ENDS_OF_TEXT if token in known), tokenizer.eos_token_id))
