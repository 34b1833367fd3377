"""How much of a reference answer an answer has, word by word."""

import re
from collections import Counter


def words(text: str) -> list[str]:
    """Words in lower case, of any script; punctuation is dropped."""
    return re.findall(r"\w+", text.lower())


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of the share of the answer's words that are in the reference and the other way round."""
    said, wanted = Counter(words(answer)), Counter(words(reference))
    common = (said & wanted).total()
    if not said or not wanted:
        return float(said == wanted)
    return 2 * common / (said.total() + wanted.total())


class _Words:
    """`rouge_score`'s own tokeniser drops every letter outside ASCII; this one does not."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


def rouge_l(answers: list[str], references: list[str]) -> list[float]:
    """ROUGE-L F of each answer: the longest sequence of words in the same order."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=_Words())
    return [float(scorer.score(wanted, said)["rougeL"].fmeasure) for said, wanted in zip(answers, references, strict=True)]
