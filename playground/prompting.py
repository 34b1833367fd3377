"""What a model is sent: the conversation so far and, with documents, the passages found for the question."""

from collections.abc import Sequence
from itertools import pairwise

from retrieval.search import Hit

WITH_PASSAGES = "Answer the question from the passages. Be short and exact. If they do not hold the answer, say so."
TURNS = 3  # earlier questions sent along with their answers; a small model's context is short
PASSAGES = 3

ChatMessage = dict[str, str]


def chat_messages(question: str, earlier: Sequence[tuple[str, str]], hits: Sequence[Hit]) -> list[ChatMessage]:
    """Messages in OpenAI's form. ``earlier`` is (role, text), oldest first; ``hits`` may be empty.

    A question that got no answer is left out: many models take nothing but question and answer by turns.
    """
    turns = [pair for pair in pairwise(earlier) if [role for role, _ in pair] == ["user", "assistant"]]
    messages = [{"role": role, "content": text} for pair in turns[-TURNS:] for role, text in pair]
    if not hits:
        return [*messages, {"role": "user", "content": question}]
    passages = "\n\n".join(f"[{number}] {hit.chunk.text}" for number, hit in enumerate(hits[:PASSAGES], start=1))
    return [
        {"role": "system", "content": WITH_PASSAGES},
        *messages,
        {"role": "user", "content": f"Passages:\n{passages}\n\nQuestion: {question}"},
    ]
