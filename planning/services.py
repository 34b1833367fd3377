"""Recommending, and keeping a plan."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from catalogue.selectors import base_models
from planning import estimating, recommending
from planning.answers import AnswersError, cleaned, complete
from planning.models import Plan
from planning.recommending import Recommendation
from planning.rules import load
from projects import audit
from projects.models import Project, User
from projects.services import project_touch

__all__ = ["AnswersError", "plan_create", "recommend"]


def recommend(answers: Mapping[str, Any]) -> Recommendation:
    """For ``answers`` (question → answer, or answers), complete or not, with the base models this studio knows."""
    rules = load()
    known = cleaned(rules, answers)
    return estimating.estimated(recommending.recommend(known, rules=rules, models=base_models()), known, rules)


@transaction.atomic
def plan_create(*, project: Project, by: User | None, answers: Mapping[str, Any], base_key: str = "") -> Plan:
    """Keep the recommendation for ``answers`` as the project's plan. ``base_key`` chooses another of its models that fit.

    Raises ``AnswersError`` when a question is open.
    """
    rules = load()
    known = complete(rules, answers)
    recommendation = recommend(known)
    fitting = {model.key for model in recommendation.models if model.fits}
    plan = Plan.objects.create(
        project=project,
        answers={key: list(chosen) for key, chosen in known.items()},
        recommendation=recommendation.as_dict(),
        rules_version=rules.version,
        base_key=base_key if base_key in fitting else recommendation.base_key,
        created_by=by,
    )
    after = {
        "approach": recommendation.title,
        "base_model": plan.base_key,
        "answers": plan.answers,
        "rules": rules.version[:12],
    }
    audit.record(project, by, "plan.create", recommendation.title, after=after)
    project_touch(project)
    return plan
