"""Which of the candidate pairs are kept: the best ones, with no document, section or shape of question taking over."""

import random
from collections import Counter
from dataclasses import dataclass

from engine.lib.questions import Candidate, normalised

LARGEST_SHARE = 0.295  # of one shape; the promise is 30%
LOWEST_SCORE = 0.7


@dataclass(frozen=True)
class Offer:
    """A candidate with the document it is from; ``specific`` prefers the smaller of two documents that hold the same text."""

    version: str
    candidate: Candidate
    specific: float


def select(offers: list[Offer], *, total: int, per_document: int, seed: int) -> list[Offer]:
    """At most ``total`` offers, by score with a little chance, in the order of documents and places."""
    chance = random.Random(seed)
    ranked = sorted(once(offers), key=lambda offer: -(offer.candidate.score + chance.uniform(0, 0.08)))
    ranked = [offer for offer in ranked if offer.candidate.score >= LOWEST_SCORE]
    kept = _within(ranked, total, per_document, total)
    # a shape's share is of what is kept in the end, so the limit is drawn tighter until it holds
    for _ in range(20):
        limit = int(LARGEST_SHARE * len(kept))
        largest = max(Counter(offer.candidate.shape for offer in kept).values(), default=0)
        if largest <= max(1, limit) or len(kept) < 8:
            break
        kept = _within(ranked, total, per_document, max(1, limit))
    return sorted(kept, key=lambda offer: (offer.version, offer.candidate.start, offer.candidate.question))


def once(offers: list[Offer]) -> list[Offer]:
    """No question and no answer twice, across documents too. Where two documents hold a text, the smaller one answers."""
    kept: list[Offer] = []
    answers: set[str] = set()
    questions: set[str] = set()
    places: set[tuple[str, int]] = set()
    for offer in sorted(offers, key=lambda offer: (offer.specific, -offer.candidate.score, offer.version, offer.candidate.start)):
        answer, question = normalised(offer.candidate.answer), normalised(offer.candidate.question)
        place = (offer.version, offer.candidate.start)
        if answer in answers or question in questions or place in places:
            continue
        answers.add(answer)
        questions.add(question)
        places.add(place)
        kept.append(offer)
    return kept


def _within(ranked: list[Offer], total: int, per_document: int, per_shape: int) -> list[Offer]:
    kept: list[Offer] = []
    documents: Counter[str] = Counter()
    shapes: Counter[str] = Counter()
    for offer in ranked:
        if len(kept) >= total:
            break
        if documents[offer.version] >= per_document or shapes[offer.candidate.shape] >= per_shape:
            continue
        documents[offer.version] += 1
        shapes[offer.candidate.shape] += 1
        kept.append(offer)
    return kept
