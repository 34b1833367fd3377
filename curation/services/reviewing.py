"""What a reviewer makes of the responses to a pair, and taking changes back."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from curation.labels import preference_of
from curation.messages import with_words, words_of
from curation.models import Pair, PairChange, PairStatus, PairTag, Response, ResponseState, Tag, Verdict
from curation.selectors.collecting import DONE, pairs_in_review, responses_to
from curation.selectors.history import RESTORED, can_undo, replaced, state_of
from curation.services.writing import PairChanged, PairError, checked, derived
from projects import audit
from projects.models import Project, User
from projects.services import project_touch

AT_ONCE = 500  # agreed pairs approved by one press


@transaction.atomic
def pair_adjudicate(*, pair: Pair, by: User, response: Response, words: tuple[str, str, str] | None = None, note: str = "") -> Pair:
    """Let the pair read as ``response`` has it, with its tags, topic and difficulty, and approve it.

    ``words`` (question, answer, system prompt) are what the reviewer made of it, where they changed it. Raises ``PairChanged`` when the
    pair is no longer what ``by`` saw, ``PairError`` when the response was taken back meanwhile or when it discards the pair.
    """
    now = Response.objects.filter(pk=response.pk, pair=pair).first()
    if now is None or now.state not in DONE or now.revision != response.revision:
        raise PairError(f"{response.user} took this response back or changed it meanwhile. Below is how things stand now.")
    if now.state == ResponseState.DISCARDED and words is None:
        raise PairError(f"{response.user} discarded this pair: reject it, or take another response.")
    messages = with_words(now.messages, *checked(*(words or words_of(now.messages))))
    fields = {"messages": messages, **preference_of(pair, messages, None), "topic": now.topic, "difficulty": now.difficulty}
    return _change(pair, by, {**fields, "tags": now.tags, "status": PairStatus.APPROVED.value, "note": note[:500]}, "pair.adjudicate")


def pairs_approve_agreed(*, project: Project, by: User) -> tuple[int, int]:
    """Approve what everybody found good and said alike, as they had it; reject what everybody found not usable or discarded.

    At most ``AT_ONCE`` pairs, oldest first. Answers how many were approved and rejected; pairs that changed meanwhile stay.
    """
    approved = rejected = 0
    for pair in pairs_in_review(project, "agreed").select_related("project")[:AT_ONCE]:
        responses = responses_to(pair)
        says = {_verdict(response) for response in responses}
        try:
            if says == {Verdict.GOOD.value}:
                pair_adjudicate(pair=pair, by=by, response=responses[0])
                approved += 1
            elif says == {Verdict.BAD.value}:
                _change(pair, by, {"status": PairStatus.REJECTED.value}, "pair.reject")
                rejected += 1
        except PairError:
            continue
    if approved or rejected:
        project_touch(project)
    return approved, rejected


def _verdict(response: Response) -> str:
    return Verdict.BAD.value if response.state == ResponseState.DISCARDED else response.verdict


@transaction.atomic
def change_undo(*, change: PairChange, by: User) -> Pair:
    """Put back what ``change`` replaced, as a change of its own. Raises ``PairError`` when something of it has changed since."""
    pair = Pair.objects.select_for_update(of=("self",)).select_related("project").get(pk=change.pair_id)
    before = replaced(change)
    if not before:
        raise PairError("There is nothing in this change that could be put back.")
    if not can_undo(change, state_of(pair), Tag.objects.filter(project=pair.project_id).values_list("pk", flat=True)):
        raise PairError("What this change did has been changed again since. Undo the later change first, or edit the pair.")
    if "messages" not in before and {"question", "answer"} & set(before):
        words = {name: before.get(name, getattr(pair, name)) for name in ("question", "answer")}
        before["messages"] = with_words(pair.messages, words["question"], words["answer"], pair.system)
    return _change(pair, by, before, "pair.undo")


def _change(pair: Pair, by: User, wanted: dict[str, Any], action: str) -> Pair:
    """Compare-and-set ``wanted`` on the pair as it was read, with a line of history. Inside a transaction of the caller's."""
    was = state_of(pair)
    tags = wanted.get("tags", was["tags"])
    fields = {name: value for name, value in wanted.items() if name in RESTORED}
    if "messages" in fields:
        fields |= derived(fields["messages"])
    status = fields.get("status", pair.status)
    if status != pair.status:
        open_again = status == PairStatus.PENDING
        fields |= {"decided_by": None if open_again else by, "decided_by_rule": "", "decided_at": None if open_again else timezone.now()}
    words = "messages" in fields and fields["messages"] != was["messages"]
    done = Pair.objects.filter(pk=pair.pk, revision=pair.revision, status=pair.status).update(
        **fields, edited=pair.edited or words, revision=F("revision") + 1
    )
    if not done:
        raise PairChanged
    _tag(pair, tags, was["tags"])
    now = {**was, **{name: value for name, value in fields.items() if name in was}, "tags": sorted(tags)}
    changed = {name for name in was if was[name] != now[name]} | ({"messages"} if words else set())
    PairChange.objects.create(pair=pair, by=by, before={name: was[name] for name in changed}, after={name: now[name] for name in changed})
    audit.record(pair.project, by, action, f"pair {pair.pk}", before={"status": was["status"]}, after={"status": status})
    pair.refresh_from_db()
    return pair


def _tag(pair: Pair, tags: Iterable[int], was: Iterable[int]) -> None:
    wanted = set(Tag.objects.filter(project=pair.project_id, pk__in=list(tags)).values_list("pk", flat=True)) if tags else set()
    PairTag.objects.filter(pair=pair, tag__in=set(was) - wanted).delete()
    PairTag.objects.bulk_create((PairTag(pair=pair, tag_id=pk) for pk in wanted - set(was)), ignore_conflicts=True)
