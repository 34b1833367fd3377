"""A pair from an answer that a model gave in chat and somebody rated."""

from collections.abc import Sequence
from uuid import UUID

from django.db import transaction

from curation.documents import version_texts
from curation.errors import PairError
from curation.models import Message, Origin, Pair
from curation.selectors.collecting import collection_of
from curation.services.writing import checked, checked_turns, derived
from curation.sources import Source
from projects import audit
from projects.models import Project, User
from projects.services import project_touch
from retrieval.models import DocumentVersion


class QuestionKnown(PairError):
    """The project has ``pair`` with the same question already."""

    def __init__(self, pair: Pair) -> None:
        super().__init__("The pairs have this question already. Compare the answers, and mend that pair where this one is better.")
        self.pair = pair


@transaction.atomic
def pair_from_chat(
    *, key: UUID, project: Project, by: User, asked: Sequence[Message], answer: str, said: str, made_by: str, sources: Sequence[Source]
) -> Pair:
    """A pair with the primary key ``key`` that waits for review: ``asked``, question and answer by turns up to the last question, and
    ``answer``.

    ``said`` is the whole answer that the model ``made_by`` gave, empty where none is known; where it is not ``answer``, it becomes the
    rejected one of a preference pair. Of ``sources`` those count whose evidence still stands in its document. Raises ``PairError`` for
    words that cannot stand, ``QuestionKnown`` for a question that is there already.
    """
    if not asked:
        raise PairError("The question of this answer is gone. Write the pair by hand.")
    words = checked(asked[0]["content"], answer)
    between = checked_turns(asked[1:])
    messages = [{"role": "user", "content": words.question}, *between, {"role": "assistant", "content": words.answer}]
    fields = derived(messages)
    if twin := Pair.objects.filter(project=project, question_hash=fields["question_hash"]).select_related("project").first():
        raise QuestionKnown(twin)
    texts = version_texts(project)
    held = [source for source in sources if source.holds_in(texts(source.version))]
    mended = bool(said.strip()) and said.split() != answer.split()
    pair = Pair.objects.create(
        pk=key,
        project=project,
        **fields,
        rejected=[{"role": "assistant", "content": said.strip()}] if mended else [],
        fork=len(messages) - 1 if mended else None,
        sources=[source.as_dict() for source in held],
        document_id=held[0].document if held else None,
        version_id=held[0].version if held else None,
        stale=bool(held) and DocumentVersion.objects.filter(pk=held[0].version, superseded_at__isnull=False).exists(),
        origin=Origin.FEEDBACK,
        made_by=made_by[:200],
        responses_left=collection_of(project).overlap,
        created_by=by,
    )
    audit.record(project, by, "pair.create", f"pair {pair.pk}", after={"origin": Origin.FEEDBACK.value, "preference": mended})
    project_touch(project)
    return pair
