"""Messages as the chat shows them: with their sources, how they were rated, and the pair that was made of them."""

from dataclasses import dataclass, field

from curation.errors import PairError
from playground.forms import FeedbackForm
from playground.models import Citation, Conversation, Feedback, Message
from projects.models import Project


@dataclass
class Said:
    """``later``: it is not the conversation's first answer. ``open``: the form that tells what was wrong stands open. ``wrong``: why no
    pair could be made of it.
    """

    message: Message
    citations: list[tuple[Citation, str]] = field(default_factory=list)
    feedback: Feedback | None = None
    later: bool = False
    form: FeedbackForm | None = None
    open: bool = False
    wrong: PairError | None = None


def said_in(project: Project, conversation: Conversation, *, opened: str = "") -> list[Said]:
    """Everything that was said, in a constant number of queries; the form of the message ``opened`` (its key) stands open."""
    messages = conversation.messages.select_related("pair").prefetch_related("feedback")
    shown, answers = [], 0
    for message in messages:
        shown.append(_said(project, message, later=answers > 0, opened=str(message.pk) == opened))
        answers += message.role == Message.Role.ASSISTANT
    return shown


def said_one(
    project: Project, message: Message, *, form: FeedbackForm | None = None, opened: bool = False, wrong: PairError | None = None
) -> Said:
    """One answer as it stands now; ``form`` where what was entered cannot be taken."""
    message = Message.objects.select_related("pair").prefetch_related("feedback").get(pk=message.pk)
    before = Message.objects.filter(conversation=message.conversation_id, role=Message.Role.ASSISTANT, pk__lt=message.pk)
    shown = _said(project, message, later=before.exists(), opened=opened or form is not None)
    shown.form, shown.wrong = form or shown.form, wrong
    return shown


def _said(project: Project, message: Message, *, later: bool, opened: bool) -> Said:
    feedback = next(iter(message.feedback.all()), None)
    return Said(
        message=message,
        citations=[(citation, citation.url(project)) for citation in message.cited],
        feedback=feedback,
        later=later,
        form=FeedbackForm.of(feedback) if feedback and not feedback.good else None,
        open=opened,
    )
