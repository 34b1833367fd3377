"""Which documents, passages and topics have pairs."""

from collections import Counter

from engine.lib.quality.material import Material
from engine.lib.quality.registry import Finding, Found, Rule, check, share


@check("documents")
def documents(material: Material, rule: Rule) -> Found:
    """The share of documents that have pairs, in %; items are those that have none, longest first."""
    if not material.documents:
        return Found(None, note="The project has no documents that were read.")
    drawn_on = {document for row in material.rows for document in row.documents}
    bare = [one for one in material.documents if str(one["id"]) not in drawn_on]
    bare.sort(key=lambda one: -(one.get("characters") or 0))
    return Found(share(len(material.documents) - len(bare), len(material.documents)), items=[str(one["name"]) for one in bare])


@check("passages")
def passages(material: Material, rule: Rule) -> Found:
    """The share of passages that a pair draws on, in %; items are the documents with the others, most of them first."""
    if not material.passages:
        return Found(None, note="There are no passages to compare with: no document has been read.")
    names = {str(one["id"]): str(one["name"]) for one in material.documents}
    bare = Counter(one.document for one in material.bare_passages)
    all_of = Counter(one.document for one in material.passages)
    items = [f"{names.get(document, 'A document')} ({count:,} of {all_of[document]:,} passages)" for document, count in bare.most_common()]
    return Found(share(len(material.passages) - bare.total(), len(material.passages)), items=items)


@check("topic_balance")
def topic_balance(material: Material, rule: Rule) -> Found:
    """The share of the pairs that the largest topic has, in %; its pairs are not at fault, so none is found."""
    topics, note = topics_of(material)
    if len(set(topics) - {""}) < 2:
        return Found(None, note="There are too few topics to compare.")
    largest, count = Counter(topic for topic in topics if topic).most_common(1)[0]
    return Found(share(count, len(topics)), items=[f"{largest} ({count:,} pairs)"], note=note)


@check("thin_topics")
def thin_topics(material: Material, rule: Rule) -> Found:
    """How many topics have fewer pairs than ``fewest``; their pairs are the rows."""
    topics, note = topics_of(material)
    counts = Counter(topic for topic in topics if topic)
    if not counts:
        return Found(None, note="There are too few topics to compare.")
    fewest = int(rule.settings["fewest"])
    thin = {topic: count for topic, count in counts.items() if count < fewest}
    findings = [
        Finding(row, f"“{topic}” has {_pairs(thin[topic])}; a model learns little from fewer than {fewest}")
        for row, topic in zip(material.rows, topics, strict=True)
        if topic in thin
    ]
    return Found(len(thin), findings, [f"{topic} ({_pairs(count)})" for topic, count in sorted(thin.items(), key=lambda one: one[1])], note)


def topics_of(material: Material) -> tuple[list[str], str]:
    """A topic for each row, empty where it has none, and how they came about: the pairs' own where half of them say one, else clusters."""
    named = [row.topic.strip() for row in material.rows]
    if sum(map(bool, named)) * 2 >= len(named):
        missing = named.count("")
        return named, f"{missing:,} pairs name no topic." if missing else ""
    clusters = material.clusters
    return [clusters.name(cluster) for cluster in clusters.labels], "Topics are clusters of what the pairs say: few of them name one."


def _pairs(count: int) -> str:
    return f"{count:,} {'pair' if count == 1 else 'pairs'}"
