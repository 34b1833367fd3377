"""The map: pairs in the plane, near each other where they are alike, and among them the passages that no pair draws on."""

import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from engine.lib.quality.clusters import FEWEST, mean_of

if TYPE_CHECKING:
    from engine.lib.quality.material import Material

PAIRS_DRAWN = 2_000  # more points are neither seen nor drawn quickly
PASSAGES_DRAWN = 1_000
BLOCK = 4096  # passages compared with all topics at once


def map_of(material: "Material") -> dict[str, Any]:
    """``map.json``: points for pairs and for bare passages, and the clusters, each with how many bare passages it is the nearest of.

    Passages lie on it where the model that embedded the pairs embedded them, too; words alone do not tell a passage's place.
    """
    made = material.clusters
    if made.vectors is None or len(material.rows) < FEWEST:
        return {"points": [], "passages": [], "clusters": []}
    import numpy as np

    if material.said is None:
        numbers, vectors = list(range(len(material.rows))), made.vectors
    else:
        numbers, vectors = material.embedded, mean_of(material.asked, material.said)
    bare = material.bare_passages if material.said is not None and material.passage_vectors is not None else []
    nearest = _nearest(material, [made.labels[number] for number in numbers], vectors, [one.number for one in bare])
    dice = random.Random(material.seed)
    pairs = sorted(dice.sample(range(len(numbers)), min(PAIRS_DRAWN, len(numbers))))
    passages = sorted(dice.sample(range(len(bare)), min(PASSAGES_DRAWN, len(bare))))
    drawn = vectors[pairs]
    if passages:
        drawn = np.concatenate([drawn, np.asarray(material.passage_vectors[[bare[at].number for at in passages]], np.float32)])
    places = [{"x": round(float(x), 2), "y": round(float(y), 2)} for x, y in _in_plane(drawn, material.seed)]
    return {
        "points": [
            {"pair": material.rows[numbers[at]].id, **place, "cluster": made.labels[numbers[at]]}
            for at, place in zip(pairs, places, strict=False)
        ],
        "passages": [
            {"version": bare[at].version, "ordinal": bare[at].ordinal, **place, "cluster": nearest[at]}
            for at, place in zip(passages, places[len(pairs) :], strict=True)
        ],
        "clusters": _told(material, Counter(nearest)),
    }


def _told(material: "Material", bare: Counter[int]) -> list[dict[str, Any]]:
    made = material.clusters
    sizes = Counter(made.labels)
    documents: list[set[str]] = [set() for _ in made.names]
    for row, label in zip(material.rows, made.labels, strict=True):
        documents[label].update(row.documents)
    return [
        {"id": cluster, "words": said, "pairs": sizes[cluster], "documents": len(documents[cluster]), "bare": bare[cluster]}
        for cluster, said in enumerate(made.names)
    ]


def _nearest(material: "Material", labels: list[int], vectors: Any, passages: list[int]) -> list[int]:
    """For each of ``passages`` (rows of ``passage_vectors``) the cluster whose middle it is nearest to; ``labels`` are of ``vectors``."""
    import numpy as np

    if not passages:
        return []
    present = sorted(set(labels))
    of = np.asarray(labels)
    middles = np.stack([vectors[of == label].mean(axis=0) for label in present])
    found: list[int] = []
    for begin in range(0, len(passages), BLOCK):
        block = np.asarray(material.passage_vectors[passages[begin : begin + BLOCK]], np.float32)
        found += [present[at] for at in (block @ middles.T).argmax(axis=1).tolist()]
    return found


def _in_plane(vectors: Any, seed: int) -> Any:
    """Two coordinates a row: t-SNE, which keeps neighbours together; of few rows their two main components."""
    from sklearn.decomposition import PCA

    if len(vectors) < 60:
        return PCA(2, random_state=seed).fit_transform(vectors)
    from sklearn.manifold import TSNE

    reduced = PCA(min(30, vectors.shape[1]), random_state=seed).fit_transform(vectors)
    return TSNE(2, perplexity=min(30, len(vectors) // 4), init="pca", random_state=seed, n_jobs=2, max_iter=500).fit_transform(reduced)
