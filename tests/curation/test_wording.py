import random
import time

import pytest
from django.template.loader import render_to_string

from curation.wording import AROUND, Segment, excerpt, word_diff
from engine.lib.pair_rows import TURN_LIMIT


def made_of(segments, kind):
    return "".join(segment.text for segment in segments if segment.kind in ("same", kind))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("", "", []),
        ("The same.", "The same.", [("same", "The same.")]),
        ("", "New words", [("new", "New words")]),
        ("Old words", "", [("gone", "Old words")]),
        ("Press the red key.", "Press the green key.", [("same", "Press the "), ("gone", "red"), ("new", "green"), ("same", " key.")]),
        (
            "Open it by hand now",
            "Open it with care now",
            [("same", "Open it "), ("gone", "by hand"), ("new", "with care"), ("same", " now")],
        ),
        ("Yes", "Yes.", [("same", "Yes"), ("new", ".")]),
    ],
)
def test_it_says_which_words_went_and_which_came(a, b, expected):
    assert word_diff(a, b) == [Segment(*both) for both in expected]


def test_both_texts_can_be_read_out_of_it():
    chance = random.Random(3)
    for _ in range(300):
        a, b = ("".join(chance.choice(["pump ", "valve", " ", "\n", "3.5", ",", "ä"]) for _ in range(chance.randrange(40))) for _ in "ab")
        segments = word_diff(a, b)
        assert made_of(segments, "gone") == a and made_of(segments, "new") == b
        assert all(segment.text for segment in segments)


def test_an_excerpt_keeps_what_changed_and_a_little_around_it():
    long = "word " * 1_000
    first, gone, new, middle, last = excerpt(word_diff(f"{long}red {long}end", f"{long}green {long}end."))
    assert (gone.text, new.text, last) == ("red", "green", Segment("new", "."))
    assert first.text == f" … {long[-AROUND:]}" and middle.text == f" {long[: AROUND - 1]} … {long[3 - AROUND :]}end"
    short = word_diff(f"{long[:AROUND]}red", f"{long[:AROUND]}green")
    assert excerpt(short) == short


@pytest.mark.parametrize("length", [5_500, TURN_LIMIT // 8])  # words: what was slow once, and the most a turn may have
def test_long_answers_do_not_keep_a_page_waiting(length):
    chance = random.Random(5)
    words = [f"word{number}" for number in range(400)]
    a, b = (" ".join(chance.choices(words, k=length)) for _ in "ab")
    start = time.perf_counter()
    segments = word_diff(a, b)
    assert time.perf_counter() - start < 3
    assert made_of(segments, "gone") == a and made_of(segments, "new") == b


def test_its_template_escapes_the_words():
    html = render_to_string("curation/_words.html", {"segments": word_diff("a <b>", "a <script>")})
    assert html.strip() == "a &lt;<del>b</del><ins>script</ins>&gt;"
