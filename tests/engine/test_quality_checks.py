"""Each check of the quality gate: what it finds, and what it leaves alone though it looks alike."""

import random
from typing import Any

import numpy as np
import pytest

from engine.lib.quality.checks.empty import refusals
from engine.lib.quality.checks.personal import kinds_in
from engine.lib.quality.material import Material
from engine.lib.quality.passages import Passage, bare_among
from engine.lib.quality.registry import all_checks, judged, rules, size_band
from engine.lib.quality.topic_map import map_of
from tests.engine.quality_kit import found_by, line, look, material

SPLIT = "The method splits the string at the first occurrence of the separator and returns a tuple with three parts."


def test_every_check_has_a_rule_and_every_rule_a_check() -> None:
    assert [rule.key for rule, _ in all_checks()] == list(rules())
    for rule, _ in all_checks():
        assert rule.remedy.keys() == {"action", "label"} and rule.says and rule.title


@pytest.mark.parametrize(("key", "number", "verdict"), [
    ("exact_duplicates", 0, "pass"), ("exact_duplicates", 0.5, "warn"), ("exact_duplicates", 1.01, "fail"),
    ("documents", 100, "pass"), ("documents", 99, "warn"), ("documents", 49, "fail"), ("stale", 10, "warn"),
])  # fmt: skip
def test_a_number_is_judged_by_its_limits(key: str, number: float, verdict: str) -> None:
    assert rules()[key].verdict(number) == verdict


def test_what_could_not_be_judged_passes_and_says_why() -> None:
    found, rule = look("unsupported", material(line(1, "What?", "This.")))
    told = judged(rule, found)
    assert told["number"] is None and told["verdict"] == "pass" and "source" in told["note"]


@pytest.mark.parametrize(
    ("pairs", "band"), [(99, "under 100"), (100, "100 to 1,000"), (9_999, "1,000 to 10,000"), (10_000, "10,000 and more")]
)
def test_the_number_of_pairs_falls_into_a_band(pairs: int, band: str) -> None:
    assert size_band(pairs)["band"] == band


def test_the_same_question_in_other_case_and_spacing_is_found_with_what_differs() -> None:
    rows = [
        line(1, "What is a list?", "A sequence."),
        line(2, "  what IS a  list ?", "A sequence."),
        line(3, "What is a list", "Something else."),
    ]
    found = found_by("exact_duplicates", material(*rows, line(4, "What is a dict?", "A mapping.")))
    assert found == {"row-2": "Same question and answer", "row-3": "Same question, another answer"}


@pytest.mark.parametrize(("question", "answer"), [
    ("What does partition do, please?", SPLIT),
    ("What does partition do?", SPLIT.replace("occurrence", "occurence")),
    ("What does partition do exactly?", SPLIT + " That is all."),
])  # fmt: skip
def test_a_few_words_changed_are_found(question: str, answer: str) -> None:
    given = material(
        line(1, "What does partition do?", SPLIT), line(2, question + " ", answer), line(3, "Who wrote it?", "Somebody else did.")
    )
    asked = {"row-2"} if question != "What does partition do?" else set()
    assert found_by("near_duplicates", given).keys() | found_by("exact_duplicates", given).keys() >= asked | {"row-2"}


@pytest.mark.parametrize(("question", "answer"), [
    ("What does rpartition do?", SPLIT.replace("first", "last")),  # about something else, in the same words
    ("When should one split a string in three?", SPLIT),  # one answer may have several questions
    ("What does partition do?", "It is a disk tool that divides a drive."),  # the same question is the other check's
])  # fmt: skip
def test_what_is_alike_but_not_the_same_is_left_alone(question: str, answer: str) -> None:
    assert found_by("near_duplicates", material(line(1, "What does partition do?", SPLIT), line(2, question, answer))) == {}


def test_a_crowd_of_near_copies_is_found_but_for_its_first() -> None:
    rows = [line(n, "What does partition do" + "?" * (n + 1) + " " + "please " * (n % 3 + 1), SPLIT) for n in range(90)]
    found = found_by("near_duplicates", material(*rows)).keys() | found_by("exact_duplicates", material(*rows)).keys()
    assert len(found) == 89


def test_the_same_in_other_words_is_found_by_vectors_but_not_among_variants_of_one_pair() -> None:
    first, second = line(1, "What is a list?", "A sequence."), line(2, "How would you define lists?", "They are sequences.")
    vectors = {
        "asked": np.array([[1, 0], [0.8, 0.6]], np.float32),
        "said": np.array([[1, 0], [0.96, 0.28]], np.float32),
        "embedded": [0, 1],
    }
    assert found_by("meaning_duplicates", material(first, second, **vectors)).keys() == {"row-2"}
    assert found_by("meaning_duplicates", material(first, second | {"parent": "row-1"}, **vectors)) == {}
    assert "No embedding model" in look("meaning_duplicates", material(first, second))[0].note


def test_a_leak_is_the_held_out_row_whose_like_is_trained_on() -> None:
    rows = [
        line(1, "What does partition do?", SPLIT, split="train"),
        line(2, "What does partition do exactly?", SPLIT + " Yes.", split="test"),
        line(3, "Who made it?", "Guido van Rossum did, in Amsterdam.", split="train"),
        line(4, "Who is its author?", "It was Guido.", split="validation", parent="row-3"),
        line(5, "Where was it made?", "In Amsterdam, at a research centre.", split="test"),
        line(6, "Where was it made then?", "In Amsterdam, at a research centre.", split="test"),
    ]
    found = found_by("split_leaks", material(*rows))
    assert found.keys() == {"row-2", "row-4"}
    assert "testing" in found["row-2"] and "variant" in found["row-4"]


def test_a_benchmark_question_is_found_inside_other_words() -> None:
    from engine.lib.mmlu import questions

    stem = next(one.text for one in questions(seed=0) if len(one.text.split("(A)")[0].split()) > 12).split("(A)")[0]
    rows = [line(1, f"An exam asks: {stem} Answer it.", "B"), line(2, "Which of the following is right?", "The second.")]
    assert found_by("benchmark_leaks", material(*rows)).keys() == {"row-1"}


def test_turns_that_no_template_takes_and_leftovers_are_found() -> None:
    good = line(1, "Use `{name}` in f-strings?", "Yes, as in f'{name}' or {} for a < b.")
    twice = {
        **line(2, "", "A."),
        "messages": [{"role": "user", "content": "Q"}, {"role": "user", "content": "Q2"}, {"role": "assistant", "content": "A"}],
    }
    late = {
        **line(3, "", "A."),
        "messages": [{"role": "user", "content": "Q"}, {"role": "system", "content": "S"}, {"role": "assistant", "content": "A"}],
    }
    unanswered = {**line(4, "", ""), "messages": [{"role": "user", "content": "Q"}]}
    marker, slot, broken = line(5, "<|im_start|>user Hi", "A."), line(6, "What is {{ product }}?", "A."), line(7, "Q?", "CafÃ© Ã  la carte")
    quoted = line(8, "What starts a turn?", "It is <|im_start|>.", context="ChatML writes <|im_start|> first.")
    found = found_by("template", material(good, twice, late, unanswered, marker, slot, broken, quoted))
    assert found.keys() == {f"row-{number}" for number in range(2, 8)}
    assert "take turns" in found["row-2"] and "system" in found["row-3"] and "encoding" in found["row-7"]


def test_the_template_of_the_model_itself_counts_where_one_is_given() -> None:
    class Tokenizer:
        def apply_chat_template(self, messages: list[dict[str, str]], tokenize: bool) -> str:
            if len(messages) > 2:
                raise ValueError("one question alone")
            return " ".join(message["content"] for message in messages)

        def __call__(self, text: str, add_special_tokens: bool) -> dict[str, list[int]]:
            return {"input_ids": [0] * len(text.split())}

    long = {**line(1, "", ""), "messages": [{"role": r, "content": "x"} for r in ("user", "assistant", "user", "assistant")]}
    wordy = line(2, "word " * 60, "word " * 60)
    given = material(long, wordy, tokenizer=Tokenizer(), context_tokens=100)
    assert found_by("template", given) == {"row-1": "The chat template refuses it: one question alone"}
    assert found_by("too_long", given) == {"row-2": "120 tokens; training reads 100"}


def preferring(number: int, rejected: str, **fields: Any) -> dict[str, Any]:
    """A preference pair whose chosen side is clean."""
    return line(number, "What is a list?", "A sequence.", rejected=[{"role": "assistant", "content": rejected}], fork=1, **fields)


@pytest.mark.parametrize(("check", "rejected", "said"), [
    ("personal", "Ask martina.koehler@gmail.com", "Holds an e-mail address in the rejected answer"),
    ("toxicity", "Who cares, arsehole.", "Says “a…” in the rejected answer, a word of the list"),
    ("template", "A list.<|im_end|>", "“<|im_end|>” is left over from a template (with the rejected answer)"),
    ("too_long", "x" * 4_000, "About 1,147 tokens; training reads 1,024 (with the rejected answer)"),
    ("empty", " \n", "The rejected answer is empty"),
    ("empty", "a  sequence", "The rejected answer is the same as the chosen one"),
])  # fmt: skip
def test_the_worse_answer_of_a_preference_pair_is_looked_at_too(check: str, rejected: str, said: str) -> None:
    assert found_by(check, material(preferring(1, rejected), line(2, "What is a list?", "A sequence."))) == {"row-1": said}


@pytest.mark.parametrize("check", ["personal", "toxicity", "template", "too_long", "empty"])
def test_a_worse_answer_may_be_wrong_or_refuse(check: str) -> None:
    assert found_by(check, material(preferring(1, "I'm sorry, but I can't help with that."), preferring(2, "A tuple."))) == {}


def test_rejected_turns_stand_where_the_conversation_forks() -> None:
    turns = [{"role": role, "content": f"{number}"} for number, role in enumerate(["user", "assistant", "user", "assistant"])]
    worse = [{"role": "assistant", "content": "worse"}]
    early, late = ({"id": "x", "messages": turns, "rejected": worse, "fork": fork} for fork in (1, 2))
    assert found_by("template", material(early)) == {}
    assert "take turns" in found_by("template", material(late))["x"]  # an answer where a question should stand


def test_what_both_answers_hold_is_said_of_each() -> None:
    both = preferring(1, "Call +49 30 901820 or martina.koehler@gmail.com")
    both["messages"][1]["content"] = "Write to martina.koehler@gmail.com."
    assert found_by("personal", material(both)) == {"row-1": "Holds an e-mail address, and a telephone number in the rejected answer"}


def test_a_system_prompt_is_searched_for_insults() -> None:
    rude = line(1, "What is a list?", "A sequence.")
    rude["messages"].insert(0, {"role": "system", "content": "You answer some arsehole."})
    polite = line(2, "What is a list?", "A sequence.")
    polite["messages"].insert(0, {"role": "system", "content": "You answer in one sentence."})
    assert found_by("toxicity", material(rude, polite)) == {"row-1": "Says “a…” in the system prompt, a word of the list"}


def test_without_a_tokenizer_lengths_are_estimated_and_said_to_be() -> None:
    given = material(line(1, "Q?", "x" * 4_000), line(2, "Q?", "x" * 400))
    assert found_by("too_long", given).keys() == {"row-1"}
    assert "estimated" in look("too_long", given)[0].note


@pytest.mark.parametrize("answer", [
    "", " \n", "N/A", "TODO", "...", "None", "I'm sorry, but I can't help with that.", "As an AI language model, I have no view.",
    "The provided context does not mention it.", "Es tut mir leid, das geht nicht.", "Je ne peux pas répondre.", "No puedo decirlo.",
    "What is it?",
])  # fmt: skip
def test_an_answer_that_is_none_is_found(answer: str) -> None:
    assert found_by("empty", material(line(1, "What is it?", answer))).keys() == {"row-1"}


@pytest.mark.parametrize("answer", [
    "42", "Yes.", "A closed file cannot be read.", "You cannot change a tuple.", "A language model assigns likelihoods.",
    "Unknown names raise NameError.",
])  # fmt: skip
def test_a_short_answer_or_one_that_speaks_of_limits_is_left_alone(answer: str) -> None:
    assert found_by("empty", material(line(1, "What is it?", answer))) == {}


def test_not_knowing_is_right_where_the_question_cannot_be_answered() -> None:
    answer = "The text does not mention who paid."
    assert refusals().search(answer)
    assert found_by("empty", material(line(1, "Who paid?", answer, shape="unanswerable"))) == {}


def test_an_answer_is_held_against_its_source() -> None:
    source = "The lock is released when the block is left. At most 12 threads may wait for it."
    rows = [
        line(1, "When is the lock released?", "When the block is left.", context=source),
        line(2, "When is the lock released?", "Never: hospitals keep patients for 40 days.", context=source),
        line(3, "Who paid?", "The text does not say.", context=source, shape="unanswerable"),
        line(4, "And without a source?", "Nobody can tell."),
    ]
    found, _ = look("unsupported", material(*rows))
    assert [one.row.id for one in found.findings] == ["row-2"] and found.number == 50


def test_review_counts_people_and_names_the_rest() -> None:
    rows = [line(1, "A?", "B", decided="person"), line(2, "C?", "D", decided="rule"), line(3, "E?", "F")]
    found, _ = look("reviewed", material(*rows))
    assert found.number == 33.33 and {one.row.id: one.detail for one in found.findings} == {
        "row-2": "Approved by rule",
        "row-3": "Waits for review",
    }


def test_stale_pairs_are_found() -> None:
    assert found_by("stale", material(line(1, "A?", "B", stale=True), line(2, "C?", "D"))).keys() == {"row-1"}


@pytest.mark.parametrize(("text", "kind"), [
    ("Write to martina.koehler@gmail.com", "an e-mail address"), ("Call +49 30 901820 now", "a telephone number"),
    ("Phone: (212) 736-5000", "a telephone number"), ("Mobil: 0171 3920042", "a telephone number"),
    ("IBAN DE89 3704 0044 0532 0130 00", "a bank account number"), ("Card 4111 1111 1111 1111", "a card number"),

    ("SSN 536-22-8726", "a social security number"), ("Ada, born on 12 March 1974", "a date of birth"),
    ("Geburtsdatum: 03.07.1988", "a date of birth"),
])  # fmt: skip
def test_personal_data_is_found_by_its_form(text: str, kind: str) -> None:
    assert kind in list(kinds_in(text, "en"))


@pytest.mark.parametrize("text", [
    "user@example.com", "support@contoso.com", "Released on 2024-03-12 as 3.11.0.1", "Use @functools.cache", "At most 4294967296 bytes",
    "IBAN DE89 3704 0044 0532 0130 01", "Card 4111 1111 1111 1112", "ISBN 978-3-16-148410-0",
    "Rows 100 200 300 400 500 600", "Port 8080 of 192.168.0.1",
])  # fmt: skip
def test_numbers_and_examples_are_no_personal_data(text: str) -> None:
    assert list(kinds_in(text, "en")) == []


def test_the_finding_never_repeats_the_personal_data() -> None:
    found = found_by("personal", material(line(1, "Who?", "Write to martina.koehler@gmail.com.")))
    assert found == {"row-1": "Holds an e-mail address"}


def test_offensive_words_are_found_whole_only() -> None:
    rows = [
        line(1, "Q?", "What a piece of shit."),
        line(2, "Q?", "Du Arschloch!"),
        line(3, "Scunthorpe?", "The class passes; Essex, cockpit, assassin."),
    ]
    assert found_by("toxicity", material(*rows)).keys() == {"row-1", "row-2"}


def test_documents_without_pairs_are_named_longest_first() -> None:
    documents = [
        {"id": "a", "name": "a.md", "characters": 10},
        {"id": "b", "name": "b.md", "characters": 20},
        {"id": "c", "name": "c.md", "characters": 90},
    ]
    row = line(1, "A?", "B", sources=[{"document": "a"}])
    found, _ = look("documents", material(row, documents=documents))
    assert found.number == 33.33 and found.items == ["c.md", "b.md"]


def test_passages_that_no_pair_draws_on_are_counted_by_document() -> None:
    documents = [{"id": "a", "name": "a.md"}, {"id": "b", "name": "b.md"}]
    passages = [Passage(n, "a", "a1", n, n * 100, n * 100 + 100) for n in range(4)] + [Passage(4, "b", "b1", 0, 0, 100)]
    touching = {"document": "a", "version": "a1", "start": 150, "end": 201}  # the second passage, and the first letter of the third
    beside = {"document": "a", "version": "a1", "start": 400, "end": 410}
    before = {"document": "b", "version": "b0", "start": 0, "end": 100}  # of the version before this one
    rows = [line(1, "A?", "B", sources=[touching, beside]), line(2, "C?", "D", sources=[before]), line(3, "E?", "F")]
    found, rule = look("passages", material(*rows, documents=documents, passages=passages))
    assert found.number == 40 and rule.verdict(40) == "pass" and rule.verdict(24.9) == "warn"
    assert found.items == ["a.md (2 of 4 passages)", "b.md (1 of 1 passages)"]


def test_without_passages_their_coverage_is_not_judged() -> None:
    found, _ = look("passages", material(line(1, "A?", "B")))
    assert found.number is None and found.note


def test_a_passage_is_bare_exactly_where_no_span_shares_a_character_with_it() -> None:
    dice = random.Random(5)
    for _ in range(300):
        spans = [(start := dice.randrange(50), start + dice.randint(1, 20)) for _ in range(dice.randrange(8))]
        places = [(start := dice.randrange(60), start + dice.randint(1, 9)) for _ in range(dice.randrange(8))]
        sources = [{"document": "d", "version": "v", "start": start, "end": end} for start, end in spans]
        passages = [Passage(number, "d", "v", number, start, end) for number, (start, end) in enumerate(places)]
        taken = {at for start, end in spans for at in range(start, end)}
        bare = bare_among(passages, material(line(1, "A?", "B", sources=sources)).rows)
        assert bare == [one for one in passages if taken.isdisjoint(range(one.start, one.end))]


def on_the_map(vectors: Any) -> Material:
    """Twenty pairs about two things, and three passages, of which the last two have no pair and are about the second."""
    rows = [
        line(n, f"What of {said} {n}?", said, sources=[{"document": "d", "version": "v", "start": 0, "end": 5}])
        for n, said in enumerate(["lists and order", "files and disks"] * 10)
    ]
    said = np.array([[1, 0], [0, 1]] * 10, dtype=np.float32)
    passages = [Passage(n, "d", "v", n, n * 10, n * 10 + 10) for n in range(3)]
    return material(*rows, passages=passages, asked=said, said=said, embedded=list(range(20)), passage_vectors=vectors)


def test_the_map_shows_passages_without_pairs_beside_what_they_are_about() -> None:
    drawn = map_of(on_the_map(np.array([[1, 0], [0.1, 0.99], [0, 1]], dtype=np.float32)))
    assert [(one["version"], one["ordinal"]) for one in drawn["passages"]] == [("v", 1), ("v", 2)]
    files = next(one for one in drawn["clusters"] if "files" in one["words"])
    assert (files["bare"], sum(one["bare"] for one in drawn["clusters"])) == (2, 2)
    assert {one["cluster"] for one in drawn["passages"]} == {files["id"]}
    places = {row: (one["x"], one["y"]) for row, one in zip(range(20), drawn["points"], strict=True)}
    assert (drawn["passages"][1]["x"], drawn["passages"][1]["y"]) == places[1] != places[0]


def test_passages_that_another_model_embedded_are_left_off_the_map() -> None:
    drawn = map_of(on_the_map(None))
    assert len(drawn["points"]) == 20 and drawn["passages"] == [] and {one["bare"] for one in drawn["clusters"]} == {0}


def test_topics_with_few_pairs_and_one_that_takes_over_are_told() -> None:
    rows = [line(n, f"Question {n}?", "A", topic="main" if n < 18 else f"rare {n}") for n in range(20)]
    thin, _ = look("thin_topics", material(*rows))
    assert thin.number == 2 and {one.row.id for one in thin.findings} == {"row-18", "row-19"}
    balance, rule = look("topic_balance", material(*rows))
    assert balance.number == 90 and rule.verdict(90) == "fail"


def test_without_topics_clusters_stand_in_for_them() -> None:
    words = {"lists": "append element sequence index slice order", "files": "open path read write disk handle"}
    rows = [line(n, f"Question {n} about {topic} {said}?", f"{said} {n}") for n, (topic, said) in enumerate(list(words.items()) * 40)]
    given = material(*rows)
    found, _ = look("topic_balance", given)
    assert "clusters" in found.note and found.number is not None and found.number < 60
    assert all(names for names in given.clusters.names)


def test_sameness_is_told_where_there_is_enough_to_judge() -> None:
    same = [line(n, f"Can you tell me what thing{n} is?", "x" * 100) for n in range(30)]
    for key in ("openings", "phrasings", "lengths"):
        found, rule = look(key, material(*same))
        assert found.number is not None and rule.verdict(found.number) != "pass" and len(found.findings) == 30
        assert look(key, material(*same[:5]))[0].number is None


def test_rows_without_words_do_not_break_any_check() -> None:
    rows = [
        line(1, "", ""),
        line(2, "?", "!"),
        {"id": "row-3", "messages": []},
        line(4, "日本語は何ですか", "言語です"),
        line(5, "日本語は何ですか。", "言語です"),
    ]
    for rule, check in all_checks():
        judged(rule, check(material(*rows), rule))
