import pytest

from curation.sources import Source, question_hash


@pytest.mark.parametrize("other", ["what is a slice?", "  What  is a\nslice ?", "What is a slice", "¿What is a slice?"])
def test_questions_that_differ_in_form_alone_are_the_same(other):
    assert question_hash("What is a slice?") == question_hash(other)


def test_questions_that_differ_in_words_are_not():
    assert question_hash("What is a slice?") != question_hash("What is a list?")
    assert question_hash("?") != question_hash("!")


@pytest.mark.parametrize(("start", "end", "holds"), [(0, 3, True), (1, 4, False), (-3, 0, False), (0, 99, False), (3, 3, False)])
def test_evidence_holds_only_where_it_stands(start, end, holds):
    assert Source("d", "v", 1, start, end, "abc").holds_in("abcdef") is holds
