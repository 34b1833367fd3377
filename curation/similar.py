"""Pairs that say nearly what another one says: by their words at once, by their meaning where the embedding server answers."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from curation.models import Pair
from curation.searching import near
from retrieval.embedding import embed

BY_WORDS, BY_MEANING = 200, 96  # candidates that are looked at closely
SHOWN = 20
EXCERPT = 400  # characters of a pair that are embedded
FIELDS = ("question", "answer", "status", "topic", "project")
_WORDS = re.compile(r"\w+")


@dataclass(frozen=True)
class Similar:
    """``score`` from 0 to 1: the share of words in common, or the cosine of the embeddings."""

    pair: Pair
    score: float


def similar_by_words(pair: Pair, count: int = SHOWN) -> list[Similar]:
    """The nearest pairs of the project by the words of question and answer, nearest first. Two queries."""
    own = _words(pair)
    return _ranked([Similar(other, _overlap(own, _words(other))) for other in _candidates(pair, BY_WORDS)], count)


def similar_by_meaning(pair: Pair, count: int = SHOWN) -> list[Similar]:
    """Those near by words, by document or by topic, ranked by what they mean. Raises ``EmbedderAway``."""
    others = _candidates(pair, BY_MEANING)
    if not others:
        return []
    vectors = embed([_text(one) for one in (pair, *others)])
    scores = vectors[1:] @ vectors[0]
    return _ranked([Similar(other, max(0.0, float(score))) for other, score in zip(others, scores, strict=True)], count)


def _candidates(pair: Pair, count: int) -> list[Pair]:
    others = Pair.objects.filter(project=pair.project_id).exclude(pk=pair.pk).only(*FIELDS)
    found = {other.pk: other for other in others.filter(near(pair.project, pair.question, count // 2))}
    beside = Q(pk__in=[])
    if pair.document_id:
        beside |= Q(document_id=pair.document_id)
    if pair.topic:
        beside |= Q(topic=pair.topic)
    if beside != Q(pk__in=[]):
        found |= {other.pk: other for other in others.filter(beside).order_by("created_at", "pk")[: count - count // 2]}
    return list(found.values())


def _ranked(found: Sequence[Similar], count: int) -> list[Similar]:
    return sorted((one for one in found if one.score > 0), key=lambda one: (-one.score, one.pair.question))[:count]


def _words(pair: Pair) -> set[str]:
    return set(_WORDS.findall(f"{pair.question} {pair.answer}".casefold()))


def _overlap(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b) if a or b else 0.0


def _text(pair: Pair) -> str:
    return f"{pair.question} {pair.answer}"[:EXCERPT]
