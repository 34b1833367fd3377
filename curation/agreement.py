"""How far people agree: the coefficients of a study of agreement, through nltk, and whether two responses say the same."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import combinations
from typing import Any

from curation.messages import part_names, parts_of

Label = tuple[str, str, Hashable]  # (who, of which pair, what they said)


@dataclass(frozen=True)
class Agreement:
    """Figures between -1 and 1, ``percent`` between 0 and 100; None where too little was said twice to tell.

    ``percent``: of the couples of responses to the same pair, how many say the same. ``cohen``: Cohen's kappa, the mean over the people
    who answered the same pairs, by how many those were. ``fleiss``: Fleiss' kappa, over the pairs that have as many responses as most.
    ``alpha``: Krippendorff's alpha, over all that have two or more; for sets of tags by their overlap (MASI).
    """

    pairs: int
    percent: float | None
    cohen: float | None
    fleiss: float | None
    alpha: float | None


def agreement(labels: Iterable[Label]) -> Agreement:
    """The agreement of ``labels``; those who said something of a pair that nobody else did do not count."""
    said: dict[str, dict[str, Hashable]] = defaultdict(dict)
    for who, pair, label in labels:
        said[pair][who] = label
    twice = {pair: by for pair, by in said.items() if len(by) > 1}
    if not twice:
        return Agreement(0, None, None, None, None)
    couples = [(a, b) for by in twice.values() for a, b in combinations(by.values(), 2)]
    return Agreement(
        pairs=len(twice),
        percent=100 * sum(a == b for a, b in couples) / len(couples),
        cohen=_cohen(twice),
        fleiss=_fleiss(twice),
        alpha=_alpha(twice),
    )


def _cohen(twice: dict[str, dict[str, Hashable]]) -> float | None:
    shared: dict[tuple[str, str], list[Label]] = defaultdict(list)
    for pair, by in twice.items():
        for a, b in combinations(sorted(by), 2):
            shared[a, b] += [(a, pair, by[a]), (b, pair, by[b])]
    found = [(len(rows), value) for rows in shared.values() if (value := _coefficient(rows, "kappa")) is not None]
    return sum(weight * value for weight, value in found) / sum(weight for weight, _ in found) if found else None


def _fleiss(twice: dict[str, dict[str, Hashable]]) -> float | None:
    """Fleiss knows raters only by their number: of each pair the first, the second … make one rater each."""
    sizes = [len(by) for by in twice.values()]
    usual = max(set(sizes), key=sizes.count)
    rows = [
        (str(place), pair, label)
        for pair, by in twice.items()
        if len(by) == usual
        for place, label in enumerate(by[who] for who in sorted(by))
    ]
    return _coefficient(rows, "pi")


def _alpha(twice: dict[str, dict[str, Hashable]]) -> float | None:
    return _coefficient([(who, pair, label) for pair, by in twice.items() for who, label in by.items()], "alpha")


def _coefficient(rows: Sequence[Label], name: str) -> float | None:
    """nltk's coefficient ``name`` (``kappa``: Cohen's; ``pi``: the many-rater one of Fleiss; ``alpha``), None where it is undefined."""
    from nltk.metrics.distance import binary_distance, masi_distance  # takes a second, and many pages never ask

    sets = all(isinstance(label, frozenset) for _, _, label in rows)
    if len({label for _, _, label in rows}) < 2:
        return None  # everybody always said the same: chance explains all of it
    task = _task()(data=list(rows), distance=masi_distance if sets and name == "alpha" else binary_distance)
    try:
        return float(getattr(task, name)())
    except ZeroDivisionError:
        return None


def _task() -> Any:
    from nltk.metrics.agreement import AnnotationTask

    class Task(AnnotationTask):  # type: ignore[misc]
        """nltk looks through all its rows for each couple; a table of them makes that quick."""

        def load_array(self, array: Iterable[Label]) -> None:
            super().load_array(array)
            self.said = {(row["coder"], row["item"]): row["labels"] for row in self.data}

        def agr(self, cA: str, cB: str, i: str, data: object = None) -> float:
            return 1.0 - float(self.distance(self.said[cA, i], self.said[cB, i]))

    return Task


def closeness(a: str, b: str) -> float:
    """How alike two answers read, word by word: 1 for the same words in the same order, 0 for none in common."""
    first, second = a.split(), b.split()
    return 1.0 if first == second else SequenceMatcher(None, first, second, autojunk=False).ratio()


def same(responses: Sequence[Any]) -> bool:
    """Whether ``responses`` (rows of ``Response``) agree: in their verdict, their labels and, white space aside, their words."""
    return not differing(responses)


def differing(responses: Sequence[Any]) -> list[str]:
    """In what ``responses`` do not agree, as pages name it: "Verdict", "Tags", "Topic", "Difficulty", "System prompt", "Question" …

    What somebody who discards would have said does not matter.
    """
    verdicts = {"discarded" if one.state == "DISCARDED" else one.verdict for one in responses}
    kept = [one for one in responses if one.state != "DISCARDED"]
    labels = [{"Tags": frozenset(one.tags), "Topic": one.topic.strip(), "Difficulty": one.difficulty} for one in kept]
    words = [{name: " ".join(text.split()) for name, text in parts_of(one.messages).items()} for one in kept]
    found = [name for said in (labels, words) for name in part_names(said) if len({one.get(name, "") for one in said}) > 1]
    return ["Verdict", *found] if len(verdicts) > 1 else found
