"""New pairs from pairs there are: other words for the same, templates, a way through another language, or further questions like them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, JsonValue

from engine.context import Context
from engine.exits import InputError
from engine.lib.asking import Asker
from engine.lib.asking_params import AskingParams
from engine.lib.augmenting import SourcePair, candidate_of, drifted, filled, lines_of, source_pairs
from engine.lib.grounding import Ungrounded, grounded, refused
from engine.lib.json_answers import objects
from engine.lib.made_pairs import MadePairs
from engine.lib.near_copies import likeness
from engine.lib.pair_rows import PairRow
from engine.lib.passages import in_turn
from engine.lib.prompts import prompt
from engine.lib.slots import SlotError, templates_of, values_of
from engine.lib.support import support
from engine.registry import stage

Method = Literal["paraphrase", "template", "back_translation", "variants"]
METHODS: dict[str, JsonValue] = {
    "paraphrase": "Paraphrase: the same in other words",
    "template": "Templates: your own forms, filled from each pair",
    "back_translation": "Back-translation: through another language",
    "variants": "Variants: further questions of the same kind",
}
PAIR_SLOTS = ("question", "answer", "topic", "difficulty", "language")


class Params(AskingParams):
    method: Method = Field("paraphrase", title="Method", description="Templates need no model.", json_schema_extra={"labels": METHODS})
    per_pair: int = Field(2, ge=1, le=20, title="New pairs of each", description="At most; those too near to another are left out.")
    answers: bool = Field(
        False, title="Say the answers in other words, too", description="For paraphrases. Else only the question changes."
    )
    language: str = Field(
        "German", min_length=2, max_length=40, title="By way of", description="The language to translate into and back from."
    )
    templates: str = Field(
        "",
        max_length=8000,
        title="Templates for the question",
        description="One a line: “In {topic}, {question}”. Slots: {question}, {answer}, {topic}, {difficulty}, {language}, your own.",
        json_schema_extra={"lines": 4},
    )
    slots: str = Field(
        "",
        max_length=8000,
        title="Values of your own slots",
        description="One slot a line, as in “department = ward | clinic | practice”. A pair that holds {department} is filled as well.",
        json_schema_extra={"lines": 3},
    )


@stage(
    key="augment_pairs",
    title="Make further pairs from pairs",
    group="data",
    queue="default",
    consumes={"pairs": "pair-rows", "others": "pair-rows?"},
    produces={"pairs": "pairs"},
    requires=("openai", "nltk"),
    endpoints=("chat",),
)
def run(ctx: Context, params: Params) -> None:
    """Each new pair knows the pair it was made from and waits for review. One that is nearly a copy of that or of another, that lost a
    number, or whose answer its source does not support, is left out. Stopping keeps what was made."""
    pairs = source_pairs(ctx.inputs["pairs"])
    asker = None if params.method == "template" else params.asker()
    made = MadePairs(ctx, len(pairs) * params.per_pair, asker)
    others = lines_of(ctx.inputs["others"]) if "others" in ctx.inputs else iter(())
    for row in (*(pair.row for pair in pairs), *map(PairRow.from_dict, others)):
        made.questions.add(row.question)
    with ctx.phase("augment", "Making further pairs"):
        made.tell()
        if asker is None:
            _from_templates(ctx, made, pairs, params)
        else:
            work = Augmenting(made, asker, params)
            jobs = in_turn({"all": pairs}, seed=ctx.seed)
            asker.work(iter(jobs), work.method(), parallel=params.parallel, enough=lambda: ctx.stop_requested)
        made.tell()
    by = "" if asker is None else f", {params.writer or asker.endpoint.model}"
    facts = made.facts("augmented", f"augment_pairs ({params.method.replace('_', '-')}){by}")
    # that fewer came than could have is the rule here: only an endpoint or a person that ended it makes it partial
    complete = not ctx.stop_requested and not (asker and asker.gone) and not (asker and asker.spent)
    made.hand_over(facts, complete=complete, nothing="Choose other pairs, another method or a more capable model.")


def _from_templates(ctx: Context, made: MadePairs, pairs: list[SourcePair], params: Params) -> None:
    try:
        values = values_of(params.slots)
        templates = templates_of(params.templates, {**dict.fromkeys(PAIR_SLOTS), **values})
    except SlotError as error:
        raise InputError("template", str(error), where="templates", mend="Change that line.") from error
    if not templates and not values:
        text = "There is neither a template nor a slot to fill."
        raise InputError("template", text, where="templates", mend="Write a template such as “In {topic}, {question}”.")
    for number, pair in enumerate(pairs):
        if ctx.stop_requested:
            return
        new: Iterator[tuple[str, str]] = filled(pair, templates, values)
        kept = 0
        for question, answer in new:
            kept += _keep(made, pair, question, answer, near_its_parent=1.0)  # a template changes little, and on purpose
            if kept == params.per_pair:
                break
        if number % 100 == 0:
            made.tell()


def _keep(made: MadePairs, pair: SourcePair, question: str, answer: str, *, near_its_parent: float | None = None) -> bool:
    """Keep the new pair unless it is nearly a copy; whether it was kept."""
    if near_its_parent is not None:
        copy = likeness(question, pair.row.question) >= near_its_parent or made.questions.holds_exactly(question)
    else:
        copy = made.questions.holds(question)
    if copy:
        made.rejected["nearly a copy"] += 1
        return False
    made.keep(pair.with_words(question, answer))
    return True


@dataclass
class Augmenting:
    """Has a model make pairs from one pair at a time."""

    made: MadePairs
    asker: Asker
    params: Params

    def method(self) -> Callable[[SourcePair], Any]:
        """How one pair is worked on."""
        return {"paraphrase": self.paraphrase, "back_translation": self.back_translate, "variants": self.vary}[self.params.method]

    async def paraphrase(self, pair: SourcePair) -> None:
        answers = "Say the answer in other words as well, without adding or leaving out anything." if self.params.answers else ""
        text = prompt("paraphrase", count=self.params.per_pair, answers=answers, question=pair.row.question, answer=pair.row.answer)
        for candidate in await self._candidates(text):
            question, answer = candidate_of(candidate)
            self._take(pair, question, answer if self.params.answers else pair.row.answer)

    async def back_translate(self, pair: SourcePair) -> None:
        there = await self.asker.ask(prompt("translate", language=self.params.language, text=pair.row.question))
        if not there or not there.strip():
            return
        back = await self.asker.ask(prompt("translate", language=pair.language_name, text=there.strip()))
        if back is not None:
            self._take(pair, " ".join(back.split()).strip('"“”'), pair.row.answer)

    async def vary(self, pair: SourcePair) -> None:
        if not pair.context:
            self.made.rejected["no source"] += 1
            return
        count = (
            "one further question with its answer"
            if self.params.per_pair == 1
            else f"{self.params.per_pair} further questions with their answers"
        )
        text = prompt("variants", count=count, question=pair.row.question, answer=pair.row.answer, passage=pair.context)
        for candidate in await self._candidates(text):
            try:
                found = grounded(candidate, pair.context, kind=pair.row.shape, least_support=self.params.minimum_support)
                source = pair.source_at(found.start, found.end)
                if source is None:
                    raise Ungrounded("quote not found")
                if self.made.questions.holds(found.question):
                    raise Ungrounded("nearly a copy")
            except Ungrounded as error:
                self.made.rejected[error.reason] += 1
            else:
                row = pair.with_words(found.question, found.answer)
                row.sources, row.extra = [source], {"support": found.support, "overlap": found.overlap}
                self.made.keep(row)
        self.made.tell()

    async def _candidates(self, text: str) -> list[dict[str, Any]]:
        said = await self.asker.ask(text)
        if said is None:
            return []
        found = objects(said)[: self.params.per_pair]
        if not found and said.strip() != "[]":
            self.made.rejected["refused" if refused(said) else "no JSON"] += 1
        return found

    def _take(self, pair: SourcePair, question: str, answer: str) -> None:
        """Keep other words for the same, if they are: nothing lost, nothing invented, and not the same words again."""
        reason = drifted(pair.row.question, question)
        if not reason and (not answer or support(answer, f"{pair.row.answer}\n{pair.context}") < self.params.minimum_support):
            reason = "not supported"
        if reason:
            self.made.rejected[reason] += 1
        else:
            _keep(self.made, pair, question, answer)
        self.made.tell()
