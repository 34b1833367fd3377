"""What is done in chat."""

from collections.abc import Collection
from uuid import UUID, uuid4

from django.db import transaction
from django.utils import timezone

from curation.errors import PairError
from curation.messages import entered
from curation.models import Pair
from curation.services.from_chat import pair_from_chat
from curation.sources import Source
from playground.models import Citation, Conversation, Feedback, Message, Reason
from playground.selectors import asked_for, model_label
from projects import audit
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


def feedback_give(*, message: Message, user: User, good: bool, correction: str = "", reasons: Collection[str] = ()) -> Feedback:
    """One thumb a person and answer; a later one replaces it. What was wrong counts where the thumb points down; a ``correction`` that
    says what the answer says is none.
    """
    correction = "" if good or correction.split() == message.text.split() else entered(correction)
    told = {"correction": correction, "reasons": [] if good else sorted(set(reasons)), "set_aside": False}
    feedback, _ = Feedback.objects.update_or_create(message=message, user=user, defaults={"good": good, **told})
    return feedback


def feedback_withdraw(*, message: Message, user: User) -> None:
    """Take a thumb back: reviewers no longer see the answer. A pair that was made of it stays."""
    Feedback.objects.filter(message=message, user=user).delete()


@transaction.atomic
def feedback_set_aside(*, feedback: Feedback, by: User, aside: bool = True) -> bool:
    """Out of the reviewers' list, or back into it; false where somebody else did that already."""
    done = Feedback.objects.filter(pk=feedback.pk, set_aside=not aside).update(set_aside=aside)
    if done:
        audit.record(feedback.message.conversation.project, by, "feedback.set_aside" if aside else "feedback.put_back", f"{feedback.pk}")
    return bool(done)


def answer_make_pair(*, feedback: Feedback, by: User, answer: str = "") -> Pair:
    """The pair of a rated answer, made once: asked for again, it is the one that was made.

    ``answer``: what the model should have said, by default what the rating says. Raises ``PairError`` where nobody has said that,
    ``curation.services.from_chat.QuestionKnown`` where the pairs have the question already.
    """
    message = feedback.message
    answer = answer.strip() or feedback.right_answer
    if not answer:
        raise PairError("Write what the model should have said: a pair teaches the right answer.")
    if not feedback.good and answer.split() == message.text.split():
        raise PairError("This is the answer that was called not good. Mend it first.")
    with transaction.atomic():
        key = uuid4()
        # of two at once the second waits here until the first is done; the key is looked at when both rows are there
        if Message.objects.filter(pk=message.pk, pair=None).update(pair=key):
            conversation = message.conversation
            return pair_from_chat(
                key=key,
                project=conversation.project,
                by=by,
                asked=asked_for(message),
                answer=answer,
                said="" if message.cut_off else message.text,
                made_by=model_label(conversation.model),
                sources=[] if Reason.PASSAGE in feedback.reasons else [source_of(citation) for citation in message.cited],
            )
    pair = Pair.objects.filter(pk__in=Message.objects.filter(pk=message.pk).values("pair")).select_related("project").first()
    if pair is None:
        raise PairError("This answer is gone: its conversation was deleted meanwhile.")
    return pair


def source_of(citation: Citation) -> Source:
    return Source(
        document=citation.document,
        version=citation.version,
        page=citation.page,
        start=citation.start,
        end=citation.end,
        evidence=citation.text,
    )


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
