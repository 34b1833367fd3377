"""Clean pairs that look a little like a fault and are none, for measuring false alarms of the quality gate."""

import random

from benchmarks.gate_faults import SYNONYMS, Line, copied, turns

DECOYS: dict[str, tuple[str, ...]] = {
    "personal": (
        "Write to user@example.com or admin@example.org.", "Contact support@contoso.com for help.", "Released on 2024-03-12 as 3.11.0.1.",
        "The address is 192.168.0.1, port 8080.", "Its hash is 5d41402abc4b2a76b9719d911017c592.", "The limit is 4294967296 bytes.",
        "Use @property or @functools.cache.", "ISBN 978-3-16-148410-0.", "Between 1914 and 1918.", "Item 4711-0815 in the catalogue.",
        "See RFC 2822, sections 3.4.1 and 4.1-4.3.", "The value 1234567890123 is odd.", "Born in the seventies, the idea lived on.",
        "git clone git@github.com.", "0x7fffffffffff is the highest.", "Rows 100 200 300 400 500 600.", "About 1 000 000 000 times.",
        "Call it with 2, 3 or 4 arguments.", "Order 10-20-30 of the sheet.", "The test ran in 1.234567890 s.",
    ),
    "toxicity": (
        "The class assessed the passage.", "It kills the child process.", "Scunthorpe is a town.", "The master key, and its slaves.",
        "Pass a dictionary as the argument.", "The cockpit and the peacock.", "It aborts at once.", "This is a hot spot.", "A dumb terminal.",
        "An analysis of assumptions.", "The shuttle is in the cumulus.", "Essex and Sussex.", "A titular head.", "The method is stripped.",
        "Basement and bassoon.", "The prick of a needle.", "Hello, shiitake.", "It sucks air out of the tube.", "Weak references are bare.", "Document the hack.",
    ),
    "empty": (
        "A closed file cannot be read.", "Sorry is a word that people say.", "The context manager does not suppress it.", "None.__class__ is a type.",
        "You cannot change a tuple, but you can build a new one.", "Unknown names raise a NameError.", "The text does not have to end in a line break.",
        "If no information is given, the default is used.", "It is impossible for two keys to be equal.", "A language model assigns likelihoods to text.",
        "No, it is not.", "Yes.", "42", "Sorting is stable.", "I is the letter before J.", "The document is not mentioned by its name alone.",
        "Nothing is returned.", "It does not apply.", "This cannot happen while the lock is held.", "Not before version 3.",
    ),
    "template": (
        "The literal `{name}` is replaced.", "Use `f'{value!r}'` here.", "a < b and c > d", "<p>text</p> is a paragraph.", "List[int] and Dict[str, int].",
        "# Response: a comment in one line", "[1, 2, 3]", "Use {} or {0}.", "Naïve café façade.", "Ünïcödé ß ø å", "The `|` operator joins.", "%(name)s",
        "$HOME and ${HOME}", "<class 'int'>", "[optional]", "a || b", "«quoted» text", "…and so on", "x = {'a': {1}}", "«Ça va?» – “Oui”",
    ),
}  # fmt: skip


def decoys(base: list[Line], dice: random.Random, check: str) -> list[Line]:
    """Clean pairs that look a little like the check's faults: the sentence stands in their source, too."""
    made = []
    for line, said in zip(dice.sample(base, len(DECOYS[check])), DECOYS[check], strict=True):
        made.append(copied(line, answer=f"{said} {turns(line)[1]}", context=f"{said} {line['context']}"))
    return made


def reworded(base: list[Line], dice: random.Random) -> list[Line]:
    """Answers in other words that their source does support: no fault."""
    made = []
    for number, line in enumerate(dice.sample([one for one in base if len(turns(one)[1].split()) >= 10], 40)):
        answer = turns(line)[1]
        said = " ".join(SYNONYMS.get(word, word) for word in answer.split()) if number % 2 else f"In short: {answer[0].lower()}{answer[1:]}"
        made.append(copied(line, answer=said))
    return made
