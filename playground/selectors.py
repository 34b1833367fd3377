"""What the chat pages read."""

from django.db.models import QuerySet

from playground.models import Conversation
from projects.models import Project, User
from runs.models import Artifact

CHATTABLE = ("gguf-model", "adapter", "hf-model")


def models_to_talk_to(project: Project) -> list[Artifact]:
    """The project's models, quantised ones first (they answer fastest), newest first; then base models of this machine."""
    own = list(Artifact.objects.filter(project=project, kind__in=CHATTABLE, ready=True).select_related("produced_by"))
    base = list(Artifact.objects.filter(project=None, kind="hf-model", ready=True).select_related("produced_by"))
    return sorted(own, key=lambda artifact: CHATTABLE.index(artifact.kind)) + base


def model_label(artifact: Artifact) -> str:
    """How a model is called where people choose one."""
    words = {"gguf-model": "Quantised", "adapter": "Fine-tuned (adapter)", "hf-model": "Merged" if artifact.project_id else "Base model"}
    name = artifact.facts.get("name") or (artifact.produced_by.title if artifact.produced_by else "")
    return f"{words[artifact.kind]} · {name} · {str(artifact.pk)[:8]}"


def conversations_of(project: Project, user: User) -> QuerySet[Conversation]:
    return Conversation.objects.filter(project=project, user=user)
