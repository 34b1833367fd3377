"""Topics among the pairs: vectors, clusters with words that name them, and a map in two dimensions."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.lib.quality.tokens import words
from engine.lib.support import STOP_WORDS

if TYPE_CHECKING:
    from engine.lib.quality.material import Material

FEWEST = 10  # rows; fewer make no clusters
MOST = 24  # clusters: as many as a person looks through
ON_MAP = 2_000  # points: more are neither seen nor drawn quickly
DIMENSIONS = 64  # of the vectors made from words, where there is no embedding model
NAMED_BY = 4  # words


@dataclass(frozen=True)
class Clusters:
    """``labels``: a cluster for each row, from 0. ``names``: the words that set each apart. ``vectors``: what they were made from."""

    labels: list[int]
    names: list[list[str]]
    vectors: Any

    def name(self, cluster: int) -> str:
        return ", ".join(self.names[cluster])


def clusters_of(material: "Material") -> Clusters:
    """Clusters of all rows: by the embedding model where every row was embedded, else by their words."""
    count = len(material.rows)
    whole = material.said is not None and len(material.embedded) == count
    vectors = _mean(material.asked, material.said) if whole else _by_words(material)
    if count < FEWEST or vectors is None:
        return Clusters([0] * count, [[]], vectors)
    from sklearn.cluster import MiniBatchKMeans

    number = max(2, min(MOST, round((count / 2) ** 0.5)))
    made = MiniBatchKMeans(number, random_state=material.seed, n_init=3, batch_size=2048).fit(vectors)
    # clusters that stayed empty have no number; the largest comes first
    order = {old: new for new, (old, _) in enumerate(Counter(made.labels_.tolist()).most_common())}
    labels = [order[label] for label in made.labels_.tolist()]
    return Clusters(labels, _names(material, labels, len(order)), vectors)


def _mean(asked: Any, said: Any) -> Any:
    from sklearn.preprocessing import normalize

    return normalize(asked + said)


def _by_words(material: "Material") -> Any:
    """A unit-length vector a row, made from which words it has (TF-IDF, then truncated SVD)."""
    import numpy as np
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import normalize

    tokens = material.tokens
    dimensions = min(DIMENSIONS, len(tokens.vocabulary) - 1)
    if len(material.rows) < FEWEST or dimensions < 2:
        return None
    ids = tokens.ids.astype(np.int64)
    counts = csr_matrix((np.ones(len(ids), np.float32), ids, tokens.starts), shape=(len(tokens), len(tokens.vocabulary)))
    weighed = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    return normalize(TruncatedSVD(dimensions, n_iter=2, random_state=material.seed).fit_transform(weighed)).astype(np.float32)


def _names(material: "Material", labels: list[int], number: int) -> list[list[str]]:
    """For each cluster the words that its rows have and the others have not."""
    inside: list[Counter[str]] = [Counter() for _ in range(number)]
    for row, label in zip(material.rows, labels, strict=True):
        inside[label].update({word for word in words(row.question) if len(word) > 2 and word not in STOP_WORDS and not word.isdigit()})
    everywhere: Counter[str] = Counter()
    for held in inside:
        everywhere.update(held)
    sizes, total = Counter(labels), len(labels)

    def telling(cluster: int, word: str) -> float:
        here, rest = inside[cluster][word], everywhere[word] - inside[cluster][word]
        return here / sizes[cluster] - rest / max(1, total - sizes[cluster])

    return [sorted(held, key=lambda word: (-telling(cluster, word), word))[:NAMED_BY] for cluster, held in enumerate(inside)]


def map_of(material: "Material") -> dict[str, Any]:
    """``map.json``: points in the plane, near each other where pairs are alike, and the clusters they belong to."""
    made = material.clusters
    if made.vectors is None or len(material.rows) < FEWEST:
        return {"points": [], "clusters": []}
    import random

    chosen = sorted(random.Random(material.seed).sample(range(len(material.rows)), min(ON_MAP, len(material.rows))))
    places = _in_plane(made.vectors[chosen], material.seed)
    points = [
        {"pair": material.rows[number].id, "x": round(float(x), 2), "y": round(float(y), 2), "cluster": made.labels[number]}
        for number, (x, y) in zip(chosen, places, strict=True)
    ]
    sizes = Counter(made.labels)
    documents: list[set[str]] = [set() for _ in made.names]
    for row, label in zip(material.rows, made.labels, strict=True):
        documents[label].update(row.documents)
    clusters = [
        {"id": cluster, "words": said, "pairs": sizes[cluster], "documents": len(documents[cluster])}
        for cluster, said in enumerate(made.names)
    ]
    return {"points": points, "clusters": clusters}


def _in_plane(vectors: Any, seed: int) -> Any:
    """Two coordinates a row: t-SNE, which keeps neighbours together; of few rows their two main components."""
    from sklearn.decomposition import PCA

    if len(vectors) < 60:
        return PCA(2, random_state=seed).fit_transform(vectors)
    from sklearn.manifold import TSNE

    reduced = PCA(min(30, vectors.shape[1]), random_state=seed).fit_transform(vectors)
    return TSNE(2, perplexity=min(30, len(vectors) // 4), init="pca", random_state=seed, n_jobs=2, max_iter=500).fit_transform(reduced)
