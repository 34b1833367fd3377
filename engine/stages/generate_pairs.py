"""Question and answer pairs written by a model, each checked against the passage it was written from."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from pydantic import Field

from engine.context import Context
from engine.exits import InputError
from engine.lib.asking import Asker
from engine.lib.asking_params import ADVANCED, INTERNAL, AskingParams
from engine.lib.grounding import UNANSWERABLE, Grounded, Ungrounded, answers_nothing, grounded, refused
from engine.lib.json_answers import objects
from engine.lib.jsonl import read_lines
from engine.lib.made_pairs import MadePairs
from engine.lib.pair_rows import DIFFICULTIES, PAIRS_FILE, PairRow
from engine.lib.passages import Passage, passages_of
from engine.lib.prompts import harder, kinds, prompt
from engine.registry import stage

Kind = Literal["factual", "procedural", "comparison", "cause", "definition", "scenario", "unanswerable"]
ALL_KINDS: list[Kind] = list(get_args(Kind))


class Params(AskingParams):
    total: int = Field(200, ge=1, le=100_000, title="Pairs wanted", description="It stops when this many have passed the checks.")
    kinds: list[Kind] = Field(
        ALL_KINDS, min_length=1, title="Kinds of question", description="Asked in turn, so that each gets about the same share."
    )
    personas: str = Field(
        "",
        max_length=1000,
        title="Who asks",
        description="People whose words the questions have, by semicolons: “a new nurse; a ward manager”. Empty: nobody special.",
    )
    evolve: int = Field(
        1,
        ge=0,
        le=2,
        title="How often a question is made harder",
        description="At most; each time costs a call. 0: questions stay as they are.",
    )
    about: str = Field("", max_length=120, title="Subject", description="Told to the model, as in “tenancy law”. Empty: nothing is told.")
    per_call: int = Field(1, ge=1, le=5, title="Pairs a call", description="Small models do better with one.", json_schema_extra=ADVANCED)
    preview: int = Field(
        0,
        ge=0,
        title="Preview",
        description="Stop at this many, to be looked at before the rest is made; 0: make all.",
        json_schema_extra=INTERNAL,
    )


@stage(
    key="generate_pairs",
    title="Have a model write questions",
    group="data",
    queue="default",
    consumes={"chunks": "chunks", "preview": "pairs?"},
    produces={"pairs": "pairs"},
    requires=("openai", "nltk"),
    endpoints=("chat",),
)
def run(ctx: Context, params: Params) -> None:
    """A model writes questions about the passages, of several kinds. A pair is kept only if its quote stands in the passage, the passage
    says what the answer says, and nobody asked it before. Stopping keeps what was made."""
    asker = params.asker()
    passages = passages_of(ctx.inputs["chunks"], seed=ctx.seed)
    if not passages:
        raise InputError(
            "no_passages", "No passage is long enough to ask about.", where="chunks", mend="Add documents with whole paragraphs."
        )
    made = MadePairs(ctx, min(params.preview or params.total, params.total), asker)
    writing = Writing(made, asker, params, ctx.seed)
    if preview := ctx.inputs.get("preview"):  # what was made to look at is neither paid for nor asked again
        again = "Make another preview."
        for row in read_lines(preview / PAIRS_FILE, code="preview", mend=again):
            made.keep(PairRow.from_dict(row))
        asked = next(read_lines(preview / "asked.jsonl", code="preview", mend=again), {})
        writing.asked = int(asked.get("asked", 0))
    with ctx.phase("write", "Writing questions"):
        made.tell()
        jobs = jobs_of(passages, params, ctx.seed, start=writing.asked)
        asker.work(jobs, writing.write, parallel=params.parallel, enough=lambda: ctx.stop_requested or made.full)
        made.tell()
    facts = made.facts("generated", f"generate_pairs, {params.writer or asker.endpoint.model}")
    facts |= {"asked": writing.asked, **({"preview": True} if params.preview else {})}
    nothing = "Choose a more capable model, fewer kinds of question or a larger budget."
    made.hand_over(facts, complete=made.full, nothing=nothing, extra={"asked.jsonl": {"asked": writing.asked}})


@dataclass(frozen=True)
class Job:
    """One thing to ask for, to be made harder ``depth`` times."""

    number: int
    passage: Passage
    kind: str
    persona: str
    depth: int


def jobs_of(passages: list[Passage], params: Params, seed: int, *, start: int) -> Iterator[Job]:
    """Each passage with each kind once, the kinds in turn, from the ``start``-th on. The same seed gives the same jobs."""
    personas = [one.strip() for one in params.personas.split(";") if one.strip()]
    for number in range(start, len(passages) * len(params.kinds)):
        rng = random.Random(f"{seed} {number}")
        lap, place = divmod(number, len(passages))
        kind = params.kinds[(place + lap) % len(params.kinds)]
        depth = 0 if kind == UNANSWERABLE else rng.randint(0, params.evolve)
        yield Job(number, passages[place], kind, rng.choice(personas) if personas else "", depth)


@dataclass
class Writing:
    """Has the jobs written and keeps what stands. ``asked``: jobs begun."""

    made: MadePairs
    asker: Asker
    params: Params
    seed: int
    asked: int = 0

    async def write(self, job: Job) -> None:
        """Ask for a job's pairs, check them, and make them harder where the job says so."""
        self.asked = max(self.asked, job.number + 1)
        said = await self.asker.ask(self._request(job))
        if said is None:
            return
        candidates = objects(said)[: self.params.per_call]
        if not candidates and said.strip() != "[]":
            self.made.rejected["refused" if refused(said) else "no JSON"] += 1
        for candidate in candidates:
            found = await self._checked(candidate, job)
            if found and not self.made.full:
                await self._keep_hardest(found, job)
        self.made.tell()

    def _request(self, job: Job) -> str:
        params = self.params
        return prompt(
            "generate",
            about=f" about {params.about}" if params.about else "",
            count="one question with its answer" if params.per_call == 1 else f"{params.per_call} questions with their answers",
            kind=kinds()[job.kind],
            persona=f"\nThe one who asks is {job.persona}: use the words this person would use.\n" if job.persona else "",
            title=job.passage.name,
            passage=job.passage.text,
        )

    async def _checked(self, candidate: dict[str, Any], job: Job) -> Grounded | None:
        """The candidate if it stands and is new; else it is counted under what is wrong with it."""
        try:
            found = grounded(candidate, job.passage.text, kind=job.kind, least_support=self.params.minimum_support)
            if self.made.questions.holds(found.question):
                raise Ungrounded("asked before")
            if job.kind == UNANSWERABLE:
                check = prompt("verify", question=found.question, passage=job.passage.text)
                said = await self.asker.ask(check, temperature=0, max_tokens=100)
                if said is None:
                    return None
                if not answers_nothing(said):
                    raise Ungrounded("answered by its passage")
        except Ungrounded as error:
            self.made.rejected[error.reason] += 1
            return None
        return found

    async def _keep_hardest(self, found: Grounded, job: Job) -> None:
        """Keep the pair, then put each harder form of it that stands in its place."""
        row = row_of(found, job, depth=0)
        self.made.keep(row)
        for depth in range(1, job.depth + 1):
            way = random.Random(f"{self.seed} {job.number} {depth}").choice(harder())
            slots = {"question": found.question, "answer": found.answer, "title": job.passage.name, "passage": job.passage.text}
            said = await self.asker.ask(prompt("harder", way=way, **slots))
            better = await self._checked(next(iter(objects(said)), {}), job) if said else None
            if better is None:
                return
            found, old, row = better, row, row_of(better, job, depth)
            self.made.replace(old, row)


def row_of(found: Grounded, job: Job, depth: int) -> PairRow:
    """The pair as a line of ``pairs.jsonl``."""
    turns = [{"role": "user", "content": found.question}, {"role": "assistant", "content": found.answer}]
    row = PairRow(messages=turns, shape=job.kind, language=job.passage.language, difficulty=DIFFICULTIES[depth])
    checked = {} if job.kind == UNANSWERABLE else {"support": found.support, "overlap": found.overlap}
    extra = {**checked, **({"persona": job.persona} if job.persona else {})}
    return replace(row, sources=[job.passage.source(found.start, found.end)], extra=extra)
