"""Topics among the pairs: vectors, and clusters with words that name them."""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.lib.quality.tokens import words
from engine.lib.support import STOP_WORDS

if TYPE_CHECKING:
    from engine.lib.quality.material import Material

FEWEST = 10  # rows; fewer make no clusters
MOST = 24  # clusters: as many as a person looks through
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
    vectors = mean_of(material.asked, material.said) if whole else _by_words(material)
    if count < FEWEST or vectors is None:
        return Clusters([0] * count, [[]], vectors)
    from sklearn.cluster import MiniBatchKMeans

    number = max(2, min(MOST, round((count / 2) ** 0.5)))
    made = MiniBatchKMeans(number, random_state=material.seed, n_init=3, batch_size=2048).fit(vectors)
    # clusters that stayed empty have no number; the largest comes first
    order = {old: new for new, (old, _) in enumerate(Counter(made.labels_.tolist()).most_common())}
    labels = [order[label] for label in made.labels_.tolist()]
    return Clusters(labels, _names(material, labels, len(order)), vectors)


def mean_of(asked: Any, said: Any) -> Any:
    """A unit-length row a pair, between what it asks and what it says."""
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
