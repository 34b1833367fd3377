"""What is said about a pair, and who is named in it."""

import re
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from curation.models import Comment, Mention, Pair
from curation.selectors.collecting import members_of
from curation.services.writing import PairError
from projects import audit
from projects.models import User

COMMENT_LIMIT = 4_000  # characters


@transaction.atomic
def comment_create(*, pair: Pair, by: User, text: str) -> Comment:
    """Say ``text`` about ``pair``; members named in it (``@Ada Lovelace``, ``@ada@example.org``) find it among their mentions.

    Raises ``PairError`` for an empty or too long one.
    """
    text = text.strip()
    if not text:
        raise PairError("Write a comment.", {"text": "Write a comment."})
    if len(text) > COMMENT_LIMIT:
        wrong = f"At most {COMMENT_LIMIT:,} characters; this one has {len(text):,}."
        raise PairError(wrong, {"text": wrong})
    comment = Comment.objects.create(pair=pair, by=by, text=text)
    named = mentioned(text, members_of(pair.project))
    Mention.objects.bulk_create(Mention(comment=comment, user=user) for user in named if user != by)
    audit.record(pair.project, by, "comment.create", f"pair {pair.pk}", after={"mentions": len(named)})
    return comment


def mentioned(text: str, members: Iterable[User]) -> list[User]:
    """Those of ``members`` that ``text`` names after an @, by name or address; of two names that both fit the longer."""
    names = sorted(((name, user) for user in members for name in {user.name, user.email} if name), key=lambda both: -len(both[0]))
    found: dict[int, User] = {}
    rest = text
    for name, user in names:
        pattern = re.compile(rf"@{re.escape(name)}(?!\w)", re.IGNORECASE)
        if pattern.search(rest):
            found[user.pk] = user
            rest = pattern.sub(" ", rest)
    return list(found.values())


def mentions_read(*, pair: Pair, by: User) -> int:
    """Whoever opens a pair has read what was said to them there; how many that were."""
    return Mention.objects.filter(comment__pair=pair, user=by, read_at=None).update(read_at=timezone.now())
