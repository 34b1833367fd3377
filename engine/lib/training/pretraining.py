"""What `pretrain` and `pretrain_lora` share: their settings, their blocks, and the slower learning rate of the vocabulary."""

from typing import Any, Literal

from pydantic import Field

from engine.context import Context
from engine.exits import InputError
from engine.lib.training.settings import ADVANCED, ForgettingParams, LoopParams
from engine.lib.training.weights import Masters
from engine.registry import StageParams

FEWEST_TOKENS = 2_000
# The guides advise continued pre-training from about a billion tokens of domain text; a hundredth of that is far less.
ADVISED_TOKENS = 1_000_000_000
FAR_LESS = 0.01


class TextParams(StageParams):
    """Which documents, and how they are cut."""

    documents: Literal["all", "of_the_pairs"] = Field(
        "all",
        title="Documents",
        json_schema_extra={"labels": {"all": "All that were read", "of_the_pairs": "Those that the dataset's pairs come from"}},
        description="All documents teach the domain's language (domain-adaptive). Those of the pairs alone, read several times, prepare "
        "for the questions at hand (task-adaptive): set three passes or more.",
    )
    validation_share: float = Field(
        0.1,
        ge=0,
        le=0.5,
        title="Share held out",
        json_schema_extra=ADVANCED,
        description="About so much of the text, in whole documents, is not trained on but validated on: 0.1 is a tenth.",
    )


class PretrainParams(TextParams, LoopParams, ForgettingParams):
    """Of `LoopParams` those that mean something else where the material is running text."""

    epochs: float = Field(
        1,
        gt=0,
        le=50,
        title="Passes over the documents",
        description="How often every document is read. One is usual with much text, three to ten with little.",
    )
    batch_size: int = Field(
        4,
        ge=1,
        le=512,
        title="Blocks at once",
        description="How many blocks of text the model reads in one go. When memory does not suffice, fewer are read at once and more "
        "often, with the same result.",
    )
    max_length: int = Field(
        1024,
        ge=16,
        le=131072,
        title="Block length",
        description="In tokens. Documents are laid end to end and cut into blocks of this length; longer ones show the model longer "
        "context and need more memory.",
    )
    eval_rows: int = Field(
        64,
        ge=1,
        title="Validation blocks",
        json_schema_extra=ADVANCED,
        description="At most so many blocks of the documents held out are looked at each time; more is more exact and slower.",
    )


def read_blocks(ctx: Context, params: PretrainParams, tokenizer: Any) -> tuple[Any, list[Any]]:
    """Blocks to train on and to validate on, after telling how much there is. Raises ``InputError``."""
    from engine.lib.training import texts

    found = texts.read_documents(ctx.inputs["chunks"], ctx.inputs.get("text"))
    if params.documents == "of_the_pairs":
        if "dataset" not in ctx.inputs:
            raise InputError("dataset", "No dataset says which documents are meant.", where="documents", mend="Choose a dataset, or all.")
        wanted = texts.cited(ctx.inputs["dataset"])
        found = [document for document in found if document.id in wanted]
    learnt, held = texts.split(found, params.validation_share)
    train = texts.pack(learnt, tokenizer, params.max_length, "train", ctx.seed)
    validation = texts.pack(held, tokenizer, params.max_length, "validation")[: params.eval_rows]
    _check_amount(ctx, params, len(found), len(train.tokens), bool(validation))
    end = tokenizer.convert_ids_to_tokens(texts.end_of_text(tokenizer))
    ctx.log(
        f"{len(learnt)} documents, {len(train.tokens):,} tokens, in {len(train)} blocks of {params.max_length}, {end} after each document; "
        f"{len(held)} documents held out"
    )
    return train, validation


def _check_amount(ctx: Context, params: PretrainParams, documents: int, tokens: int, validated: bool) -> None:
    """Compare with what the guides advise. Raises ``InputError`` for next to nothing."""
    if tokens < FEWEST_TOKENS:
        raise InputError(
            "too_little_text",
            f"Continued pre-training needs at least {FEWEST_TOKENS:,} tokens of text; these {documents} documents have {tokens:,}.",
            where="chunks",
            mend="Add documents." if params.documents == "all" else "Take all documents, or pairs that say where they come from.",
        )
    share = tokens / ADVISED_TOKENS
    if share < FAR_LESS and params.documents == "all":
        ctx.warn(
            "little_text",
            f"{tokens:,} tokens of text are far less than the billion from which continued pre-training is advised.",
            where="chunks",
            mend="It helps most where the domain's language is its own. Fine-tuning on pairs and looking passages up usually bring more "
            "here; compare both by their scores.",
        )
    elif share < 1:
        ctx.log(f"{tokens:,} tokens of text; continued pre-training of a whole domain is advised from about {ADVISED_TOKENS:,}")
    if not validated:
        ctx.warn(
            "no_validation",
            "No document is held out, so nothing shows whether the model only learns by heart.",
            where="validation_share",
            mend="Add a second document, or hold out a larger share.",
        )


def vocabulary(model: Any) -> dict[str, Any]:
    """The weights of embeddings and output head by name; they may be one and the same."""
    parts = {id(layer.weight) for layer in (model.get_input_embeddings(), model.get_output_embeddings()) if layer is not None}
    return {name: weight for name, weight in model.named_parameters() if id(weight) in parts}


def two_rates(model: Any, masters: Masters, share: float) -> list[dict[str, Any]]:
    """AdamW's groups: all weights at the learning rate, those of the vocabulary at ``share`` of it."""
    slow = vocabulary(model).keys() & masters.weights.keys()
    groups = [
        {"params": [weight for name, weight in masters.weights.items() if name not in slow], "scale": 1.0},
        {"params": [masters.weights[name] for name in sorted(slow)], "scale": share},
    ]
    return [group for group in groups if group["params"]]
