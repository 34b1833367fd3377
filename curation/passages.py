"""The passages a pair rests on, as the review page shows them: the evidence with enough text around it to judge."""

from dataclasses import dataclass

from curation.documents import document_names, version_texts
from curation.models import Pair
from retrieval.citations import citation_url

AROUND = 900  # characters shown before and after the evidence


@dataclass(frozen=True)
class Passage:
    """``before`` + ``evidence`` + ``after`` is a piece of the document; ``holds`` is false where the evidence no longer stands there.

    Without ``evidence`` the document was erased. ``url`` opens it at the span, in the version the pair was made from.
    """

    document: str
    page: int | None
    before: str
    evidence: str
    after: str
    holds: bool
    url: str


def passages_of(pair: Pair) -> list[Passage]:
    sources = pair.source_list
    if not sources:
        return []
    texts, names = version_texts(pair.project), {str(pk): name for pk, name in document_names(pair.project).items()}
    passages = []
    for source in sources:
        text = texts(source.version)
        holds = source.holds_in(text)
        address = citation_url(pair.project, source.document, source.start, source.end, source.version)
        passages.append(
            Passage(
                document=names.get(source.document, "A deleted document"),
                page=source.page,
                before=_from_paragraph(text[max(0, source.start - AROUND) : source.start], whole=source.start <= AROUND) if holds else "",
                evidence=source.evidence,
                after=_to_paragraph(text[source.end : source.end + AROUND], whole=source.end + AROUND >= len(text)) if holds else "",
                holds=holds,
                url=address if source.document in names else "",
            )
        )
    return passages


def _from_paragraph(text: str, *, whole: bool) -> str:
    """Cut at the start of a paragraph, or a word, rather than in the middle of one."""
    if whole:
        return text
    for mark in ("\n\n", "\n", " "):
        if mark in text[: AROUND // 2]:
            return "… " + text.split(mark, 1)[1]
    return "…" + text


def _to_paragraph(text: str, *, whole: bool) -> str:
    if whole:
        return text
    for mark in ("\n\n", "\n", " "):
        if mark in text[AROUND // 2 :]:
            return text.rsplit(mark, 1)[0] + " …"
    return text + "…"
