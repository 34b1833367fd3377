"""What a pair carries beside its words: topic, language, difficulty, tags, and for preference training the worse answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from curation.errors import PairError
from curation.messages import entered
from curation.models import Difficulty, Message, Pair, PairTag, Tag
from engine.lib.pair_rows import TURN_LIMIT

LABELS = {"topic": 120, "difficulty": 6, "language": 8}  # field → characters it holds


@dataclass(frozen=True)
class Labels:
    """As a form has them. ``tags`` are primary keys; ``rejected`` is the worse answer, empty for none, None where it stays as it is."""

    topic: str = ""
    language: str = ""
    difficulty: str = ""
    tags: Sequence[int] = ()
    rejected: str | None = None


def label_checked(field: str, value: str) -> str:
    """``value`` as ``field`` keeps it; empty takes it away. Raises ``PairError`` for one it cannot hold."""
    value = " ".join(value.split())
    if len(value) > LABELS[field]:
        raise PairError(f"At most {LABELS[field]} characters.", {field: f"At most {LABELS[field]} characters; this one has {len(value)}."})
    if field == "difficulty" and value and value not in Difficulty.values:
        raise PairError("There is no such difficulty.", {field: f"One of {', '.join(Difficulty.values)}."})
    if field == "language" and value and not (value.isascii() and value.replace("-", "").isalpha()):
        raise PairError("This is no language.", {field: "A code of ISO 639-1 is needed, such as en or de."})
    return value.lower() if field == "language" else value


def too_long(text: str, most: int = TURN_LIMIT) -> str:
    """What to say of a text of more than ``most`` characters; empty for a shorter one."""
    return f"At most {most:,} characters; this one has {len(text):,}." if len(text) > most else ""


def tags_of(pair: Pair) -> list[int]:
    """Primary keys of its tags, in order: as its history keeps them."""
    return sorted(PairTag.objects.filter(pair=pair).values_list("tag_id", flat=True))


def tags_set(pair: Pair, wanted: Sequence[int], was: Sequence[int]) -> None:
    """Let ``pair`` carry ``wanted`` where it carried ``was``. Inside a transaction of the caller's."""
    PairTag.objects.filter(pair=pair, tag__in=set(was) - set(wanted)).delete()
    PairTag.objects.bulk_create((PairTag(pair=pair, tag_id=pk) for pk in set(wanted) - set(was)), ignore_conflicts=True)


def known_tags(pair: Pair, keys: Sequence[int]) -> list[int]:
    """Those of ``keys`` that are tags of the pair's project, in order."""
    return sorted(Tag.objects.filter(project=pair.project_id, pk__in=list(keys)).values_list("pk", flat=True)) if keys else []


def preference_of(pair: Pair, messages: Sequence[Message], rejected: str | None) -> dict[str, Any]:
    """``rejected`` and ``fork`` of ``pair`` once it has ``messages``. Raises ``PairError`` where they no longer fit.

    A worse answer stands in place of the last one. Worse turns that part earlier stay where they part, as long as no turn is added or
    removed.
    """
    at_the_answer = pair.fork is None or pair.fork == len(pair.messages) - 1
    if rejected is not None and at_the_answer:
        text = entered(rejected)
        if text and text == entered(messages[-1]["content"]):
            raise PairError("The rejected answer is the answer.", {"rejected": "This is the answer itself. Write a worse one, or none."})
        if text != entered(rejected_answer(pair) or ""):
            if wrong := too_long(text):
                raise PairError("The rejected answer is too long.", {"rejected": wrong})
            worse = [{"role": "assistant", "content": text}]
            return {"rejected": worse, "fork": len(messages) - 1} if text else {"rejected": [], "fork": None}
    if pair.fork is None:
        return {"rejected": pair.rejected, "fork": None}
    if at_the_answer:
        return {"rejected": pair.rejected, "fork": len(messages) - 1}
    if _turns(messages) != _turns(pair.messages):
        raise PairError("The rejected turns of this pair part in the middle of it: no turn can be added or removed.")
    return {"rejected": pair.rejected, "fork": pair.fork + _prompts(messages, pair.fork) - _prompts(pair.messages, pair.fork)}


def _prompts(messages: Sequence[Message], before: int) -> int:
    """How many system turns stand among the first ``before`` messages."""
    return sum(1 for message in messages[:before] if message["role"] == "system")


def _turns(messages: Sequence[Message]) -> int:
    return sum(1 for message in messages if message["role"] != "system")


def rejected_answer(pair: Pair) -> str | None:
    """The worse answer as a form shows it: empty where there is none, None where the rejected turns are more than that."""
    if pair.fork is None:
        return ""
    plain = pair.fork == len(pair.messages) - 1 and len(pair.rejected) == 1
    return str(pair.rejected[0]["content"]) if plain else None
