"""Parameters that several training stages have, in groups that a stage's ``Params`` puts together. Light: stages import it at the top."""

from typing import Any, Literal

from pydantic import Field, field_validator

from engine.registry import StageParams

ADVANCED: dict[str, Any] = {"advanced": True}
MOST_WATCHED = 5  # prompts: each is answered at every look


class LoopParams(StageParams):
    """How ``engine.lib.training.loop`` goes over the data."""

    epochs: float = Field(
        1,
        gt=0,
        le=50,
        title="Passes over the data",
        description="How often every pair is seen. One to three is usual; more makes the model repeat the pairs by heart.",
    )
    learning_rate: float = Field(
        5e-4,
        gt=0,
        le=0.1,
        title="Learning rate",
        description="How far each step moves the adapter. Too low learns little, too high makes the loss jump. "
        "0.0001 to 0.001 is usual for LoRA.",
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=512,
        title="Pairs at once",
        description="How many pairs the model reads in one go. When memory does not suffice, fewer are read at once and more often, "
        "with the same result.",
    )
    max_length: int = Field(
        1024,
        ge=16,
        le=131072,
        title="Longest text",
        description="In tokens, question and answer together (a token is about three quarters of a word). Longer answers are cut.",
    )
    gradient_accumulation: int = Field(
        1,
        ge=1,
        le=1024,
        title="Batches per step",
        json_schema_extra=ADVANCED,
        description="Batches added up before the model moves. With fewer pairs at once and more batches per step the result is the "
        "same with less memory.",
    )
    max_steps: int | None = Field(
        None,
        ge=1,
        title="Stop after steps",
        json_schema_extra=ADVANCED,
        description="Ends the training after so many steps, whatever the passes over the data. Empty: no such limit.",
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "linear",
        title="Learning rate over time",
        json_schema_extra=ADVANCED,
        description="How the learning rate falls from its peak to the end of the training.",
    )
    warmup_ratio: float = Field(
        0.05,
        ge=0,
        le=0.5,
        title="Warm-up",
        json_schema_extra=ADVANCED,
        description="Share of the steps in which the learning rate rises from zero, so that the start is gentle.",
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        le=1,
        title="Weight decay",
        json_schema_extra=ADVANCED,
        description="Pulls the trained weights towards zero a little at each step. Rarely needed for adapters.",
    )
    clip: float = Field(
        1.0,
        gt=0,
        le=1000,
        title="Gradient limit",
        json_schema_extra=ADVANCED,
        description="Steps larger than this are shortened, so that one odd batch cannot spoil the model.",
    )
    optimizer: Literal["adamw", "adamw_8bit"] = Field(
        "adamw",
        title="Optimiser",
        json_schema_extra=ADVANCED | {"labels": {"adamw": "AdamW", "adamw_8bit": "AdamW in 8 bits"}},
        description="AdamW remembers two numbers of each weight it moves. In 8 bits they take a quarter of the memory and are less exact: "
        "for training all weights of a model that does not fit otherwise. On a processor it is slower.",
    )
    eval_every: int = Field(
        0,
        ge=0,
        title="Validate every",
        json_schema_extra=ADVANCED,
        description="Steps between two looks at the validation pairs. 0 chooses about four looks over the whole training.",
    )
    eval_rows: int = Field(
        64,
        ge=1,
        title="Validation pairs",
        json_schema_extra=ADVANCED,
        description="At most so many validation pairs are looked at each time; more is more exact and slower.",
    )
    watched_prompts: str = Field(
        "",
        max_length=2000,
        title="Prompts to watch",
        json_schema_extra=ADVANCED | {"lines": 3},
        description="One a line, at most five. What the model says to them is shown before training and at each look, so that it can be "
        "seen to change. Empty: the question of the first validation pair.",
    )
    general_rows: int = Field(
        16,
        ge=0,
        le=281,
        title="General texts",
        json_schema_extra=ADVANCED,
        description="So many texts of general knowledge are looked at beside the validation pairs, to see what is forgotten. 0: none.",
    )
    general_budget: float = Field(
        0.1,
        ge=0,
        le=10,
        title="Budget for forgetting",
        json_schema_extra=ADVANCED,
        description="How much the loss on general texts may rise, in nats a token, before the run says that it is too much.",
    )
    stop_over_budget: bool = Field(
        False,
        title="Stop when too much is forgotten",
        json_schema_extra=ADVANCED,
        description="Ends the training at the first look that finds the budget for forgetting exceeded, and keeps what was best before.",
    )
    keep: Literal["best", "last"] = Field(
        "best",
        title="Which state is handed over",
        json_schema_extra=ADVANCED | {"labels": {"best": "The best on the validation pairs", "last": "The last"}},
        description="The best is the one with the lowest validation loss, of those that were looked at.",
    )
    checkpoint_minutes: float = Field(
        2.0,
        gt=0,
        le=1440,
        title="Minutes between checkpoints",
        json_schema_extra=ADVANCED,
        description="Training can go on from a checkpoint after an interruption. When writing one takes long, they come less often.",
    )
    checkpoint_every: int = Field(
        0,
        ge=0,
        title="Checkpoint every",
        json_schema_extra=ADVANCED,
        description="Steps between two checkpoints, beside those by time. 0: by time alone.",
    )
    gradient_checkpointing: bool = Field(
        False,
        title="Save memory",
        json_schema_extra=ADVANCED,
        description="Recomputes instead of remembering: much less memory, about a third slower. Comes on by itself when memory runs out.",
    )
    precision: Literal["auto", "bf16", "fp32"] = Field(
        "auto",
        title="Number format",
        json_schema_extra=ADVANCED,
        description="bf16 needs half the memory and is faster where the processor supports it; auto finds out.",
    )

    @property
    def watched(self) -> list[str]:
        """The prompts to watch, one by one."""
        return [line.strip() for line in self.watched_prompts.splitlines() if line.strip()]

    @field_validator("watched_prompts")
    @classmethod
    def _not_too_many(cls, text: str) -> str:
        if sum(bool(line.strip()) for line in text.splitlines()) > MOST_WATCHED:
            raise ValueError(f"At most {MOST_WATCHED} prompts can be watched; each is answered at every look.")
        return text


class ForgettingParams(StageParams):
    """What holds the weights near where they began (`engine.lib.training.penalties`)."""

    hold: Literal["none", "l2", "ewc"] = Field(
        "none",
        title="Hold the weights near their start",
        json_schema_extra=ADVANCED
        | {"labels": {"none": "No", "l2": "All alike (L2 to start)", "ewc": "By what general knowledge hangs on (EWC)"}},
        description="Against forgetting: changing a weight costs something. Mixing general data into the dataset version does more; take "
        "this where there is none, or beside it.",
    )
    hold_strength: float = Field(
        0.1,
        ge=0,
        le=1e6,
        title="How firmly",
        json_schema_extra=ADVANCED,
        description="What a change of all weights by one percent costs, in the unit of the loss; twice the change costs four times that. "
        "It means the same for every model. 0.01 is gentle, 1 is firm.",
    )
    fisher_rows: int = Field(
        32,
        ge=1,
        le=200,
        title="General texts to measure on",
        json_schema_extra=ADVANCED,
        description="EWC measures on so many texts which weights general knowledge hangs on. More is more exact and takes longer.",
    )


class TeamParams(StageParams):
    """Training in several processes, one a GPU."""

    processes: int = Field(
        1,
        ge=1,
        le=64,
        title="GPUs together",
        json_schema_extra=ADVANCED,
        description="So many processes, one a GPU, share the pairs of each step. The result is the same as with one.",
    )
    shard: bool = Field(
        False,
        title="Split the model over the GPUs",
        json_schema_extra=ADVANCED,
        description="Each GPU keeps a part of the model, for models that do not fit into one. Slower than a copy on each.",
    )


class LoraParams(StageParams):
    """The shape of a LoRA adapter (Hu et al. 2021), with its relatives rsLoRA (Kalajdzievski 2023) and DoRA (Liu et al. 2024)."""

    rank: int = Field(
        16,
        ge=1,
        le=512,
        title="Adapter rank",
        description="The adapter's capacity. 8 to 32 is enough to learn a style or a domain; higher costs memory and time.",
    )
    alpha: int = Field(
        32,
        ge=1,
        le=2048,
        title="Adapter strength (alpha)",
        json_schema_extra=ADVANCED,
        description="The adapter's weight relative to its rank. Twice the rank is a good rule.",
    )
    dropout: float = Field(
        0.0,
        ge=0,
        lt=1,
        title="Dropout",
        json_schema_extra=ADVANCED,
        description="Share of the adapter's inputs switched off at random while training. 0.05 to 0.1 helps against learning by heart, but "
        "is slower.",
    )
    target: Literal["all-linear", "attention"] = Field(
        "all-linear",
        title="Layers to adapt",
        json_schema_extra=ADVANCED,
        description="All linear layers learn best; attention only is smaller and faster.",
    )
    rslora: bool = Field(
        False,
        title="Steady strength at any rank (rsLoRA)",
        json_schema_extra=ADVANCED,
        description="Divides by the root of the rank instead of the rank, so that high ranks learn as well as they can. For ranks from 64.",
    )
    dora: bool = Field(
        False,
        title="Direction and size apart (DoRA)",
        json_schema_extra=ADVANCED,
        description="Learns separately how far and in which direction weights move. Often a little better at low ranks, and slower.",
    )


class VirtualTokenParams(StageParams):
    """The shape of a soft prompt: what prompt tuning and prefix tuning learn."""

    virtual_tokens: int = Field(
        20,
        ge=1,
        le=512,
        title="Virtual tokens",
        description="How many learnt tokens the model reads before each question. 20 to 100 is usual; each leaves less room for the text.",
    )
    begin_with: str = Field(
        "Answer the question as an expert of this field would: exactly, in full, and in its own terms.",
        min_length=1,
        max_length=2000,
        title="Text they begin as",
        json_schema_extra=ADVANCED,
        description="The virtual tokens begin as the tokens of this text, repeated or cut to their number, and are trained from there.",
    )
