"""What is done in chat."""

from collections.abc import Collection
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from playground.models import Citation, Conversation, Feedback, Message
from projects.models import Project, User
from runs.models import Artifact


@transaction.atomic
def conversation_create(*, project: Project, user: User, model: Artifact, question: str, with_documents: bool) -> Conversation:
    """A new conversation, named after its first question."""
    title = " ".join(question.split())[:120] or "New conversation"
    return Conversation.objects.create(project=project, user=user, model=model, title=title, with_documents=with_documents)


@transaction.atomic
def question_add(*, conversation: Conversation, text: str, with_documents: bool) -> Message:
    Conversation.objects.filter(pk=conversation.pk).update(updated_at=timezone.now(), with_documents=with_documents)
    return Message.objects.create(conversation=conversation, role=Message.Role.USER, text=text, with_documents=with_documents)


def answer_add(
    *, conversation: Conversation, text: str, citations: list[Citation], with_documents: bool, seconds: float, cut_off: bool
) -> Message:
    return Message.objects.create(
        conversation=conversation,
        role=Message.Role.ASSISTANT,
        text=text,
        citations=[item.model_dump() for item in citations],
        with_documents=with_documents,
        seconds=seconds,
        cut_off=cut_off,
    )


def feedback_give(*, message: Message, user: User, good: bool, correction: str = "") -> Feedback:
    """One thumb a person and answer; a later one replaces it."""
    feedback, _ = Feedback.objects.update_or_create(message=message, user=user, defaults={"good": good, "correction": correction.strip()})
    return feedback


def conversation_delete(*, conversation: Conversation) -> None:
    conversation.delete()


def citations_erase(*, project: Project, versions: Collection[UUID]) -> None:
    """Take name and words of documents that were erased out of what answers cite; where they stood stays. Idempotent."""
    gone = {str(version) for version in versions}
    for message in Message.objects.filter(conversation__project=project).exclude(citations=[]).only("citations"):
        if any(one.version in gone for one in message.cited):
            nothing = {"name": "A deleted document", "text": ""}
            left = [one.model_copy(update=nothing) if one.version in gone else one for one in message.cited]
            Message.objects.filter(pk=message.pk).update(citations=[one.model_dump() for one in left])


def conversations_delete_for(project: Project) -> None:
    """Conversations hold on to models; they go before the project's artifacts do."""
    Conversation.objects.filter(project=project).delete()
