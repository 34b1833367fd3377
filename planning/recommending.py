"""From answers to a recommendation. Pure but for the stages there are and the base models it is given."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from engine import registry
from planning.base_models import ModelFit, rank
from planning.rules import Answers, Approach, Rule, Rules, load, matches

FALLBACK = "rag"
TRAINING = ("lora", "qlora", "full")


@dataclass(frozen=True)
class Layer:
    """One approach of the recommendation, with why it is in and what to watch."""

    key: str
    name: str
    long_name: str
    summary: str
    reasons: tuple[str, ...]
    cautions: tuple[str, ...]
    time: str
    compute: str
    data: str


@dataclass(frozen=True)
class RuledOut:
    name: str
    why: str


@dataclass(frozen=True)
class Recommendation:
    """What the answers so far speak for. ``steps`` are those this studio runs; ``not_yet`` says which it recommends but does not.

    ``journey`` is the whole way in words, from documents to chat.
    """

    layers: tuple[Layer, ...] = ()
    reasons: tuple[str, ...] = ()
    ruled_out: tuple[RuledOut, ...] = ()
    models: tuple[ModelFit, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    journey: tuple[dict[str, str], ...] = ()
    not_yet: tuple[str, ...] = ()
    estimates: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """For example: RAG + LoRA + Quantise."""
        return " + ".join(layer.name for layer in self.layers)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(layer.key for layer in self.layers)

    @property
    def base_key(self) -> str:
        """The best base model that fits; empty where none does."""
        return next((model.key for model in self.models if model.fits), "")

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "title": self.title, "base_key": self.base_key}


def recommend(answers: Answers, *, rules: Rules | None = None, models: Iterable[Any] = ()) -> Recommendation:
    """Layers whose weights reach their thresholds, in the order they are done. ``answers`` may be incomplete."""
    rules = rules or load()
    fired = [rule for rule in rules.rules if rule.fires(answers)]
    chosen = _chosen(rules, fired)
    layers = tuple(_layer(rules.approaches[key], fired) for key in chosen)
    steps, not_yet = _steps(rules, chosen, answers)
    return Recommendation(
        layers=layers,
        reasons=tuple(dict.fromkeys(reason for layer in layers for reason in layer.reasons)),
        ruled_out=tuple(_ruled_out(rules, fired, chosen)),
        models=tuple(rank(rules, answers, mode=memory_mode(chosen), models=models)) if "prune" not in chosen or _trains(chosen) else (),
        steps=tuple(steps),
        journey=tuple(_journey(chosen, steps)),
        not_yet=tuple(not_yet),
    )


def _trains(layers: Iterable[str]) -> bool:
    """Whether a base model is needed: who only makes a trained model smaller has one."""
    return any(key in TRAINING or key in ("rag", "cpt", "distill") for key in layers)


def memory_mode(layers: Iterable[str]) -> str:
    """What the base model has to fit the hardware for."""
    keys = tuple(layers)
    trained = next((key for key in TRAINING if key in keys), None)
    return trained or ("answering_4" if "quantise" in keys else "answering_16")


def _chosen(rules: Rules, fired: list[Rule]) -> list[str]:
    out = {rule.approach for rule in fired if rule.out}
    weight = {key: sum(rule.weight for rule in fired if rule.approach == key) for key in rules.approaches}
    reached = {key for key, approach in rules.approaches.items() if weight[key] >= approach.threshold and key not in out}
    for pick in {rules.approaches[key].pick for key in reached} - {""}:
        rivals = [key for key in rules.approaches if key in reached and rules.approaches[key].pick == pick]
        reached -= set(rivals) - {max(rivals, key=lambda key: weight[key])}  # of equals the first in the file
    reached = {key for key in reached if all(reached & set(need.split("|")) for need in rules.approaches[key].needs)}
    if not reached and FALLBACK not in out:  # "either works, and retrieval is simpler"
        reached = {FALLBACK}
    return sorted(reached, key=lambda key: (rules.approaches[key].order, key))


def _layer(approach: Approach, fired: list[Rule]) -> Layer:
    own = [rule for rule in fired if rule.approach == approach.key]
    reasons = tuple(rule.reason for rule in sorted(own, key=lambda rule: -rule.weight) if rule.weight > 0)
    against = tuple(rule.caution or rule.reason for rule in own if rule.weight < 0)
    return Layer(
        key=approach.key,
        name=approach.name,
        long_name=approach.long_name,
        summary=approach.summary,
        reasons=reasons or ("Nothing you answered asks for more, and it is the simplest way to begin.",),
        cautions=(*against, *approach.cautions),
        time=approach.time,
        compute=approach.compute,
        data=approach.data,
    )


def _ruled_out(rules: Rules, fired: list[Rule], chosen: list[str]) -> Iterable[RuledOut]:
    """Every approach that is not recommended, with the rule that decided, else what it would take."""
    for approach in sorted(rules.approaches.values(), key=lambda one: one.order):
        if approach.key in chosen:
            continue
        own = [rule for rule in fired if rule.approach == approach.key]
        decided = next((rule for rule in own if rule.out), None) or min(
            (rule for rule in own if rule.weight < 0), key=lambda rule: rule.weight, default=None
        )
        yield RuledOut(approach.name, decided.reason if decided else approach.otherwise)


def _journey(chosen: list[str], steps: list[dict[str, Any]]) -> Iterable[dict[str, str]]:
    """What a person does and what the studio runs, one after the other."""
    trains = any(key in TRAINING for key in chosen)
    if "rag" in chosen or trains:
        yield {"title": "Upload documents", "note": "read, cut into passages, indexed"}
    if trains:
        yield {"title": "Make and approve pairs", "note": "generated from the documents"}
        yield {"title": "Cut a dataset version", "note": "split by document"}
    for step in steps:
        yield {"title": step["title"], "note": step["note"]}
    if "rag" in chosen:
        yield {"title": "Chat with citations", "note": "answers rest on the passages found"}


def _steps(rules: Rules, chosen: list[str], answers: Answers) -> tuple[list[dict[str, Any]], list[str]]:
    """Steps for stages that exist, with the settings that follow from answers, and what is not run yet."""
    steps: list[dict[str, Any]] = []
    not_yet: list[str] = []
    stages = {info.key: info for info in registry.all_stages()}
    for key in chosen:
        approach = rules.approaches[key]
        lacking = next((step.stage for step in approach.steps if step.stage not in stages), None)
        if lacking:
            substitute = rules.approaches.get(approach.instead)
            meanwhile = f" Until then the pipeline runs {substitute.name} in its place." if substitute else ""
            not_yet.append(f"{approach.long_name}: this version of the studio does not run its step “{lacking}” yet.{meanwhile}")
        runnable = rules.approaches[approach.instead].steps if lacking and approach.instead else () if lacking else approach.steps
        for step in runnable:
            if step.stage not in stages:
                continue
            info = stages[step.stage]
            params = dict(step.params)
            follow = [setting for setting in rules.settings if setting.stage == step.stage and matches(setting.when, answers)]
            for setting in follow:
                params |= setting.params
            note = " ".join(setting.reason for setting in follow)
            steps.append({"stage": info.key, "title": info.title, "params": params, "note": note})
    seen: dict[str, dict[str, Any]] = {}
    for step_ in steps:
        seen.setdefault(step_["stage"], step_)
    return list(seen.values()), list(dict.fromkeys(not_yet))
