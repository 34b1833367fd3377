"""What the page says before a training starts: findings, and what it will take."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from runs.models import Artifact
from training.estimates import Estimate, estimates
from training.launch_forms import LaunchForms
from training.offer import Reading, preference_rows
from training.preflight import CHARACTERS_A_TOKEN, FEWEST_PAIRS, Finding, Shape, check

HELD_OUT = 0.05  # share of blocks that pre-training keeps to validate on, about
NOT_RIGHT = Finding("stop", "sweep", "The values to try are not right yet, so nothing starts.", "Mend them under “Try several values”.")
ROOM = "Choose a smaller model, fewer pairs at once, or “Save memory” under the advanced settings."


def before(forms: LaunchForms) -> dict[str, Any]:
    """``{"findings", "estimate", "several", "shape", "stopped", "documents"}`` for what is chosen now; without an estimate while too little
    is. ``several`` where several values are tried.
    """
    launch, method = forms.launch, forms.launch.main
    base, dataset = launch.chosen_base(), launch.chosen_dataset()
    reads_documents = "documents" in method.needs
    if base is None or (dataset is None and not reads_documents):
        return {"findings": [], "estimate": None}
    params = forms.params(method.key)
    length = int(params.get("max_length") or 1024)
    findings: list[Finding] = []
    if reads_documents:
        shape = documents_shape(launch.offer.reading, length)
        findings += documents_findings(launch.offer.reading)
    else:
        assert dataset is not None
        shape, findings = check(dataset, max_length=length, context=base.spec.context)
        if "preferences" in method.needs:
            shape = preferences_shape(shape, preference_rows(dataset))
            findings = preference_findings(dataset, method.title) + findings
    if forms.sweep and forms.sweep.in_the_way:
        findings.insert(0, NOT_RIGHT)
    figures, several = None, None
    if method.loops:
        teacher = (
            Artifact.objects.filter(pk=launch.chosen("teacher")).first()
            if "teacher" in launch.fields and launch.chosen("teacher")
            else None
        )
        many = [params | chosen for chosen in _tried(forms)]
        figures, *each = estimates(
            shape=shape,
            parameters=base.spec.parameters,
            many=[params, *many],
            base_key=base.key,
            stage=method.key,
            teacher=int((teacher.facts.get("parameters") or 0) if teacher else 0),
        )
        several = several_of(each) if each else None
        memory = max(one.memory for one in each or [figures])
        if not all(one.fits for one in each or [figures]):
            text = f"{base.name} needs about {memory / 1e9:.1f} GB of memory to train by {method.title}, more than this machine has."
            findings.append(Finding("warn", "memory", text, ROOM))
    return {
        "findings": findings,
        "estimate": figures,
        "several": several,
        "shape": shape,
        "documents": launch.offer.reading if reads_documents else None,
        "stopped": any(one.level == "stop" for one in findings),
    }


@dataclass(frozen=True)
class Several:
    """A sweep as a whole. ``seconds`` of all its trainings, ``memory`` of the largest; ``disk`` in bytes, while they train one by one."""

    runs: int
    seconds: float
    memory: int
    disk: int


def several_of(each: Sequence[Estimate]) -> Several:
    """Checkpoints, and what merging would take, are gone when a run has ended; what it hands over stays."""
    at_work = max(one.disk - one.result for one in each)
    return Several(len(each), sum(one.seconds for one in each), max(one.memory for one in each), at_work + sum(one.result for one in each))


def _tried(forms: LaunchForms) -> list[dict[str, Any]]:
    """The combinations of a sweep, where all its values are right."""
    sweep = forms.sweep
    return sweep.combinations() if sweep and sweep.is_valid() else []


def documents_shape(reading: Reading, length: int) -> Shape:
    """Documents as blocks of ``length`` tokens."""
    tokens = round(reading.characters / CHARACTERS_A_TOKEN)
    blocks = math.ceil(tokens / length)
    held = math.ceil(HELD_OUT * blocks) if blocks > 1 else 0
    return Shape(train=blocks - held, validation=held, test=0, tokens=round(tokens * (1 - HELD_OUT)), longest=min(length, tokens))


def preferences_shape(shape: Shape, count: int) -> Shape:
    """``shape`` of the ``count`` rows alone that have a rejected answer, taken as spread evenly over the splits."""
    share = min(1.0, count / max(1, shape.train + shape.validation + shape.test))
    train, validation, test, tokens = (round(share * value) for value in (shape.train, shape.validation, shape.test, shape.tokens))
    return Shape(train, validation, test, tokens, shape.longest)


def documents_findings(reading: Reading) -> list[Finding]:
    if reading.characters:
        return []
    return [Finding("stop", "no_documents", "No document has been read yet.", "Upload documents and have them read.")]


def preference_findings(dataset: Artifact, title: str) -> list[Finding]:
    """Whether there are enough rows with a rejected answer."""
    count = preference_rows(dataset)
    if count >= FEWEST_PAIRS:
        text = f"{count:,} pairs have a rejected answer; {title} learns from those alone."
        return [Finding("note", "preferences", text, "Cut the version with the filter “With a rejected answer” to see only them.")]
    text = f"{title} needs at least {FEWEST_PAIRS} pairs with a rejected answer; this version has {count}."
    return [Finding("stop", "no_preferences", text, "Rate answers in chat, or write rejected answers beside the good ones.")]
