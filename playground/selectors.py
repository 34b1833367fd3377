"""What the chat pages read."""

from django.db.models import QuerySet

from catalogue.selectors import chattable
from playground.models import Conversation
from projects.models import Project, User
from runs.models import Artifact

CHATTABLE = ("gguf-model", "adapter", "hf-model")


def models_to_talk_to(project: Project) -> list[Artifact]:
    """The project's own models, quantised ones first (they answer fastest), then the base models of this machine."""
    return sorted(chattable(project), key=lambda artifact: (artifact.project_id is None, CHATTABLE.index(artifact.kind)))


def model_label(artifact: Artifact) -> str:
    """How a model is called where people choose one."""
    words = {"gguf-model": "Quantised", "adapter": "Fine-tuned (adapter)", "hf-model": "Merged" if artifact.project_id else "Base model"}
    # A run of a pipeline is called "what it does: the pipeline's name"; the kind says the first half already
    name = artifact.facts.get("name") or (artifact.produced_by.title.split(": ", 1)[-1] if artifact.produced_by else "")
    return f"{words[artifact.kind]} · {name} · {str(artifact.pk)[:8]}"


def conversations_of(project: Project, user: User) -> QuerySet[Conversation]:
    return project.conversations.filter(user=user)  # through the project, which each one's address is made with
