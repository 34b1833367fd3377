"""Which passages an answer cites."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from playground.citing import cite, content_words, on_topic, support

WITH = "The with statement is used to wrap the execution of a block with methods defined by a context manager."
NONLOCAL = "The nonlocal statement causes the listed identifiers to refer to previously bound variables in the nearest enclosing scope."
BREAD = "Knead the dough for ten minutes and let it rise."


def hit(text: str, similarity: float | None = 0.7) -> Any:
    document = SimpleNamespace(name="page.md")
    version = SimpleNamespace(pk=uuid4(), document_id=uuid4(), document=document, page_at=lambda offset: 1)
    chunk = SimpleNamespace(text=text, version=version, start=100, end=100 + len(text), page=1)
    return SimpleNamespace(chunk=chunk, score=1.0, vector_rank=1, keyword_rank=1, similarity=similarity)


def test_it_cites_the_passage_the_answer_was_taken_from() -> None:
    cited = cite(
        "What does the nonlocal statement do?",
        "It causes identifiers to refer to previously bound variables in the enclosing scope.",
        [hit(WITH), hit(NONLOCAL), hit(BREAD)],
    )
    assert [citation.text for citation in cited] == [NONLOCAL]


def test_it_cites_nothing_for_an_answer_no_passage_supports() -> None:
    assert cite("Where is Paris?", "Paris is the capital of France and lies on the Seine.", [hit(WITH), hit(NONLOCAL)]) == []


def test_it_cites_nothing_without_passages_or_without_an_answer() -> None:
    assert cite("What is with?", WITH, []) == []
    assert cite("What is with?", "", [hit(WITH)]) == []


def test_of_two_equal_passages_the_better_found_comes_first() -> None:
    first, second = hit(WITH), hit(WITH)
    assert cite("What is with?", WITH, [first, second])[0].version == str(first.chunk.version.pk)


def test_of_two_that_support_the_answer_it_cites_the_one_about_the_question() -> None:
    other = "The global statement causes the listed identifiers to refer to variables of the module."
    answer = "It causes the listed identifiers to refer to variables."
    cited = cite("What does the nonlocal statement do?", answer, [hit(other), hit(NONLOCAL)])
    assert [citation.text for citation in cited] == [NONLOCAL]


def test_an_answer_worded_after_another_passage_than_the_question_is_about_cites_nothing() -> None:
    assert cite("What does the nonlocal statement do?", WITH, [hit(NONLOCAL), hit(WITH)]) == []


def test_single_words_in_common_are_no_support() -> None:
    answer = "Variables: identifiers, nearest scope, enclosing statement."
    assert support(answer, NONLOCAL) >= 0.5
    assert cite("What does the nonlocal statement do?", answer, [hit(NONLOCAL)]) == []


def test_a_question_is_on_topic_when_one_passage_is_near_enough() -> None:
    assert on_topic([hit(WITH, 0.2), hit(NONLOCAL, 0.5)])
    assert not on_topic([hit(WITH, 0.2), hit(NONLOCAL, None)])
    assert not on_topic([])


def test_words_without_meaning_support_nothing() -> None:
    assert content_words("What is it, and how does that do this?") == set()
    assert support("What is it?", WITH) == 0.0
