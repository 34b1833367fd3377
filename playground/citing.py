"""Which passages an answer rests on. A small model cannot be trusted to say so itself, so it is worked out from the words."""

import re
from collections.abc import Sequence
from itertools import pairwise

from playground.models import Citation
from retrieval.citations import citation_of
from retrieval.search import Hit

# Cosine similarity of question and best passage under which the documents have nothing to say. all-MiniLM-L6-v2 gives unrelated English
# text 0.0 to 0.25 and a question with its passage mostly 0.45 and more.
ON_TOPIC = 0.35
# Share of an answer's phrases that a passage must hold to be cited for it. Phrases, for single words are shared with any passage about
# the same thing: on validation and training questions of the Python reference 87% of the passages so cited held the whole answer,
# against 78% where half of the answer's words were asked for.
SUPPORTED = 0.2
# A small model words things its own way, so the question's words and phrases count more than the answer's. Chosen on the training and
# validation questions of the Python reference: by its words alone the question finds the passage with the whole answer among the best three
# in 78% of 374, by words and phrases in 82%.
QUESTION_WEIGHT = 2.0
WORD = re.compile(r"[^\W_]\w*", re.UNICODE)
STOP = frozenset(
    "a an and are as at be but by can do does for from had has have how i if in into is it its may more no not of on or such that the "
    "their then there these they this to was were what when where which who why will with would you your".split()
)


def on_topic(hits: Sequence[Hit]) -> bool:
    """Whether the project's documents have anything to say about the question that found ``hits``."""
    return any(hit.similarity is not None and hit.similarity >= ON_TOPIC for hit in hits)


def content_words(text: str) -> set[str]:
    """The words of ``text`` that carry meaning, in lower case."""
    return {word for word in (match.lower() for match in WORD.findall(text)) if word not in STOP}


def support(answer: str, passage: str) -> float:
    """The share, 0 to 1, of the answer's content words that stand in the passage."""
    words = content_words(answer)
    return len(words & content_words(passage)) / len(words) if words else 0.0


def phrases(text: str) -> set[tuple[str, str]]:
    """Each two words that stand side by side in ``text``, in lower case."""
    words = [match.lower() for match in WORD.findall(text)]
    return set(pairwise(words))


def shared_phrases(text: str, passage: str) -> float:
    """The share, 0 to 1, of the phrases of ``text`` that stand in the passage."""
    said = phrases(text)
    return len(said & phrases(passage)) / len(said) if said else 0.0


def cite(question: str, answer: str, hits: Sequence[Hit]) -> list[Citation]:
    """The passage among ``hits`` (best first) that the answer rests on, or none if none supports it.

    One, for a second passage about the same thing is more often beside the point than to it. The retriever's order breaks ties.
    """
    supporting = [hit for hit in hits if shared_phrases(answer, hit.chunk.text) >= SUPPORTED]
    if not supporting:
        return []

    def score(hit: Hit) -> float:
        asked = support(question, hit.chunk.text) + shared_phrases(question, hit.chunk.text)
        return support(answer, hit.chunk.text) + QUESTION_WEIGHT * asked

    return [citation(max(supporting, key=score))]  # of equals, max keeps the first


def citation(hit: Hit) -> Citation:
    """The passage of ``hit`` as a citation."""
    where = citation_of(hit.chunk)
    return Citation(
        document=str(where.document),
        version=str(where.version),
        name=where.name,
        page=where.page,
        start=where.start,
        end=where.end,
        text=hit.chunk.text,
    )
