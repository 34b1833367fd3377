"""What the chat pages read."""

from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet, Subquery, TextField
from django.db.models.functions import Cast
from django.urls import reverse

from catalogue.selectors import chattable
from catalogue.tree import kind_in_words
from playground.models import Conversation, Feedback, Message
from playground.prompting import ChatMessage, chat_messages
from projects.models import Project, User
from projects.roles import may
from runs.models import Artifact

CHATTABLE = ("gguf-model", "adapter", "soft-prompt", "hf-model")


def models_to_talk_to(project: Project) -> list[Artifact]:
    """The project's own models, quantised ones first (they answer fastest), then the base models of this machine."""
    return sorted(chattable(project), key=lambda artifact: (artifact.project_id is None, CHATTABLE.index(artifact.kind)))


def model_label(artifact: Artifact) -> str:
    """How a model is called where people choose one."""
    words = {
        "gguf-model": "Quantised",
        "adapter": "Fine-tuned (adapter)",
        "soft-prompt": "Soft prompt",
        "hf-model": kind_in_words(artifact) if artifact.project_id else "Base model",
    }
    # A run of a pipeline is called "what it does: the pipeline's name"; the kind says the first half already
    name = artifact.facts.get("name") or (artifact.produced_by.title.split(": ", 1)[-1] if artifact.produced_by else "")
    return f"{words[artifact.kind]} · {name} · {str(artifact.pk)[:8]}"


def conversations_of(project: Project, user: User) -> QuerySet[Conversation]:
    return project.conversations.filter(user=user)  # through the project, which each one's address is made with


def asked_for(message: Message) -> list[ChatMessage]:
    """What the answer ``message`` answers: its question, after the turns that the model was sent with it, oldest first.

    An earlier answer that was corrected stands corrected: training goes over every answer of a conversation. Empty where nothing was asked.
    """
    said = list(Message.objects.filter(conversation=message.conversation_id, pk__lt=message.pk).prefetch_related("feedback"))
    question = next((one for one in reversed(said) if one.role == Message.Role.USER), None)
    if question is None:
        return []
    earlier = [(one.role, one.corrected) for one in said if one.pk < question.pk]
    return chat_messages(question.text, earlier, [])


def rated(project: Project) -> QuerySet[Feedback]:
    """Ratings of the project's answers, latest first, each with its ``question``."""
    before = Message.objects.filter(conversation=OuterRef("message__conversation"), role=Message.Role.USER, pk__lt=OuterRef("message_id"))
    found = Feedback.objects.filter(message__conversation__project=project).order_by("-created_at", "-pk")
    return found.select_related("message__conversation__model__produced_by", "message__conversation__project", "message__pair").annotate(
        question=Subquery(before.order_by("-pk").values("text")[:1])
    )


def rated_without_pair(project: Project, *, thumb: str = "", reason: str = "", aside: bool = False) -> QuerySet[Feedback]:
    """Those that no pair was made of: of one ``thumb`` ("up", "down"), for one ``reason``, set ``aside`` or not."""
    found = rated(project).filter(message__pair=None, set_aside=aside)
    if thumb in ("up", "down"):
        found = found.filter(good=thumb == "up")
    if reason:  # keys of Reason hold no other's name between quotation marks; SQLite cannot look into a list
        found = found.annotate(told=Cast("reasons", TextField())).filter(told__contains=f'"{reason}"')
    return found


def rated_count(project: Project) -> int:
    """How many rated answers wait for a reviewer."""
    return Feedback.objects.filter(message__conversation__project=project, message__pair=None, set_aside=False).count()


def pair_came_from(project: Project, user: User, pair: UUID) -> dict[str, str] | None:
    """The answer in chat that ``pair`` was made of, where ``user`` may see it: one's own conversation, or to a reviewer what was rated."""
    told = Exists(Feedback.objects.filter(message=OuterRef("pk")))
    message = Message.objects.filter(pair=pair).annotate(rated=told).select_related("conversation").first()
    if message is None:
        return None
    if message.conversation.user_id == user.pk:
        address = reverse("playground:conversation", args=[project.slug, message.conversation_id])
        return {"title": "Your conversation", "url": f"{address}#message-{message.pk}"}
    if message.rated and may(project.role, "review"):  # type: ignore[attr-defined] (set by the guard)
        return {"title": "The rated answer", "url": reverse("playground:rated_answer", args=[project.slug, message.pk])}
    return None
