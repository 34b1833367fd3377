"""The parts of a sentence that questions are made of: its subject, its main clause, the setting it opens with."""

import re

from engine.lib.question_words import DANGLING, DETERMINERS, PREPOSITIONS, SUBJECT_BREAKERS, content_words, words

PARTICIPLE = r"(?P<done>\w{3,}ed|given|taken|written|found|held|bound|set|run|kept|made|built|sent|shown|chosen|read|done|paid|drawn)"
_GOING_ON = frozenset("or and but which i.e e.g such including respectively for as not that".split())  # after a comma within a clause


def subject_before(sentence: str, end: int) -> str | None:
    """The noun phrase that ``sentence`` begins with and that reaches to ``end``; None where it is no plain one."""
    phrase = sentence[:end].strip()
    rows = phrase.split()
    if (
        not content_words(phrase)
        or not 1 <= len(rows) <= 9
        or len(phrase) > 80
        or any(mark in phrase for mark in ",;:–—")
        or phrase.count("`") % 2
    ):
        return None
    bare = [row.strip('“”"*()').lower() for row in rows]
    if bare[0] in DANGLING or bare[-1] in PREPOSITIONS or phrase.count("(") != phrase.count(")"):
        return None
    if any(word in SUBJECT_BREAKERS for word in bare) or (len(rows) == 1 and bare[0] in DETERMINERS):
        return None
    if len(rows) > 1 and re.fullmatch(r"\w+(ed|ing|ly)|only|also|always|often|then|both|all|even", bare[-1]):
        return None
    if re.fullmatch(r"\w+(ing|ly)", bare[0]) and not rows[0].startswith(("`", "*")):
        return None
    if (
        len(rows) == 1
        and not rows[0].startswith(("`", "“", "*"))
        and not rows[0].endswith("s")
        and bare[0][:1].isalpha()
        and len(bare[0]) < 4
    ):
        return None
    if not any(len(word) > 2 for word in bare if word not in DETERMINERS) and "`" not in phrase:
        return None
    return phrase


def main_clause(sentence: str) -> int | None:
    """The comma at which the main clause begins, outside brackets and code."""
    depth, code = 0, False
    for at, letter in enumerate(sentence):
        if letter == "`":
            code = not code
        elif not code and letter in "([“":
            depth += 1
        elif not code and letter in ")]”":
            depth -= 1
        elif letter == "," and depth == 0 and not code:
            rest = words(sentence[at + 1 : at + 60])
            if not rest or rest[0] in _GOING_ON:
                continue
            before = sentence[:at]
            listing = re.search(r",\s*(or|and)\s[^,]{1,60},", sentence[at:]) or re.match(r",\s*[\w`*“”()-]+(\s[\w`*-]+)?,", sentence[at:])
            listing = listing or re.match(r",\s*[\w`*“”.()-]+(\s[\w`*-]+)? (or|and)\s", sentence[at:])
            if listing or len(before) < 12 or before[-1].isdigit():
                continue
            return at
    return None


# "In a generator function, the `return` statement indicates …": what stands before the comma goes into the question as it is
_SETTING = re.compile(
    r"(?P<setting>(?:In|For|During|Within|Outside|After|Before|At|On|With|Under|Inside|Without|Among) "
    r"(?P<what>[^,;:()]{5,70})), (?=[a-zA-Z`*“])"
)
_NO_SETTING = re.compile(
    r"\b(this|that|these|those|such|it|its|them|their|addition|general|particular|contrast|other|order|fact|practice|both|cases?|example|"
    r"instance|most|more|details?|words|turn|effect|now|once|above|following|doing|information|simplicity|reason)\b",
    re.IGNORECASE,
)


def setting_of(sentence: str) -> tuple[str, str]:
    """The setting that the sentence opens with, if it is a plain one, and the sentence from its main clause on, with a capital."""
    match = _SETTING.match(sentence)
    if not match or _NO_SETTING.search(match["what"]) or match["what"].count("`") % 2:
        return "", sentence
    rest = sentence[match.end() :]
    if words(rest)[:1] and words(rest)[0] in ("and", "or", "but", "which", "such", "as", "not"):
        return "", sentence
    setting = match["setting"]
    return f"{setting[0].lower()}{setting[1:]}, ", rest[0].upper() + rest[1:]
