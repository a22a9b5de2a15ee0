"""The tables of ``bench_quality``: catalogued data, scikit-learn's sets, and made ones.

Every model gets the same columns: numbers as float64, categories as text. Free text becomes 200
columns that say which of the commonest words a cell has; they are counted over all rows, without
labels. Where rows belong together, one of each unit is kept: plain stratified folds are then honest.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.feature_extraction.text import CountVectorizer

from bench import workload

_WORDS = 200
Random = np.random.Generator


@dataclass(frozen=True)
class Table:
    """Features and what is to be told from them.

    Attributes
    ----------
    features
        Columns of float64, NaN where missing, and of text, never missing.
    labels : shape (n_rows,)
        Class codes from 0.
    """

    features: pd.DataFrame
    labels: NDArray[np.int32]

    @property
    def n_classes(self) -> int:
        return int(self.labels.max()) + 1

    def digest(self) -> str:
        """Return what names this table's content, twelve hexadecimal digits."""
        hashed = hashlib.sha256(self.labels.tobytes())
        for name in self.features.columns:
            column = self.features[name].to_numpy()
            values = column if column.dtype.kind == "f" else column.astype(str)
            hashed.update(name.encode() + values.tobytes())
        return hashed.hexdigest()[:12]


def table_of(features: Any, labels: Any) -> Table:
    """Return a table, columns in plain types and classes numbered in their own order."""
    frame = pd.DataFrame(features).reset_index(drop=True)
    frame.columns = [str(name) for name in frame.columns]
    for name in frame.columns:
        if pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = frame[name].astype(np.float64)
        else:
            present = frame[name].notna()
            frame[name] = frame[name].astype(object).where(present, "(missing)")
            frame[name] = frame[name].astype(str)
    codes = np.unique(np.asarray(labels), return_inverse=True)[1]
    return Table(frame, codes.astype(np.int32))


def words(text: "pd.Series[Any]") -> pd.DataFrame:
    """Return a column of 0 and 1 for each of the commonest words."""
    counter = CountVectorizer(binary=True, max_features=_WORDS)
    counts = counter.fit_transform(text.fillna("").astype(str)).toarray()
    names = [f"word {word}" for word in counter.get_feature_names_out()]
    return pd.DataFrame(counts.astype(np.float64), columns=names)


# Catalogued data -------------------------------------------------------------------------------


def voice_gender(data: Path) -> Table:
    frame = pd.read_csv(data / "voice-gender" / "voice.csv")
    return table_of(frame.drop(columns="label"), frame["label"])


def ramen(data: Path) -> Table:
    """Whether a ramen got four stars or more: brand, style, country, words of its variety."""
    frame = pd.read_csv(data / "ramen" / "ramen-ratings.csv")
    stars = pd.to_numeric(frame["Stars"], errors="coerce")
    frame = frame[stars.notna()].reset_index(drop=True)
    features = frame[["Brand", "Style", "Country"]]
    return table_of(features.join(words(frame["Variety"])), stars.dropna() >= 4)


def music(data: Path) -> Table:
    """Ten genres of a hundred tracks each; tracks that another row repeats are left out."""
    frame = pd.read_csv(data / "music-genre" / "features_30_sec.csv")
    features = frame.drop(columns=["filename", "length", "label"])
    first = ~features.duplicated()
    return table_of(features[first], frame["label"][first])


def netflix(data: Path) -> Table:
    """Movie or show: year, rating, first country, words of the description."""
    frame = pd.read_csv(data / "netflix" / "netflix_titles.csv.gz")
    rating = frame["rating"].where(~frame["rating"].str.endswith("min", na=False))
    country = frame["country"].str.strip(", ").str.split(",").str[0]
    features = pd.DataFrame(
        {"release_year": frame["release_year"], "rating": rating, "country": country}
    )
    return table_of(features.join(words(frame["description"])), frame["type"])


def skin_cancer(data: Path) -> Table:
    """Seven diagnoses from 8 x 8 grey pixels, age, sex and site; one image of each lesion."""
    folder = data / "skin-cancer"
    patients = pd.read_csv(folder / "HAM10000_metadata.csv")
    pixels = pd.read_csv(folder / "hmnist_8_8_L.csv.gz").drop(columns="label")
    first = ~patients["lesion_id"].duplicated()
    features = pixels.join(patients[["age", "sex", "localization"]])
    return table_of(features[first], patients["dx"][first])


def youtube(data: Path) -> Table:
    """Whether a video's first trending day found more likes a view than the median's."""
    frame = pd.read_csv(data / "youtube-korea" / "KR_youtube_trending_data.csv")
    frame = frame[frame["ratings_disabled"].astype(str).str.lower() == "false"]
    frame = frame.drop_duplicates("video_id").reset_index(drop=True)
    rate = frame["likes"] / frame["view_count"]
    tags = frame["tags"].where(frame["tags"] != "[None]", "")
    features = pd.DataFrame(
        {
            "category": frame["categoryId"].astype(str),
            "hour": pd.to_datetime(frame["publishedAt"]).dt.hour,
            "title_length": frame["title"].str.len(),
            "tags": tags.str.count(r"\|") + (tags != ""),
            "description_length": frame["description"].fillna("").str.len(),
        }
    )
    return table_of(features.join(words(frame["title"])), rate > rate.median())


# Made tables -----------------------------------------------------------------------------------


def classification(n_rows: int, n_columns: int, **how: Any) -> Table:
    X, y = datasets.make_classification(n_rows, n_columns, random_state=0, **how)
    return table_of(X, y)


def moons(random: Random) -> Table:
    """Two half circles, and eight columns of noise."""
    X, y = datasets.make_moons(1000, noise=0.3, random_state=0)
    return table_of(np.column_stack([X, random.normal(size=(1000, 8))]), y)


def friedman(_: Random) -> Table:
    """Friedman's first function, above its median or not."""
    X, number = datasets.make_friedman1(2000, 10, noise=1.0, random_state=0)
    return table_of(X, number > np.median(number))


def xor(random: Random) -> Table:
    """The sign of a product of three columns among ten; a tenth of the labels wrong."""
    X = random.normal(size=(2000, 10))
    label = (X[:, :3].prod(axis=1) > 0) ^ (random.random(2000) < 0.1)
    return table_of(X, label)


def sparse_linear(random: Random) -> Table:
    """Log-odds linear in eight of a hundred columns."""
    X = random.normal(size=(1000, 100))
    return table_of(X, X[:, :8].sum(axis=1) + random.logistic(size=1000) > 0)


def categories(random: Random) -> Table:
    """Six categorical columns of 4 to 30 levels, a pair of which interacts, and four numbers."""
    n, levels = 3000, (4, 6, 8, 12, 20, 30)
    codes = np.column_stack([random.integers(0, k, n) for k in levels])
    X = random.normal(size=(n, 4))
    effects = [
        random.normal(size=k)[codes[:, j]] for j, k in enumerate(levels) if j != 2
    ]
    pair = random.normal(size=(levels[2], levels[3]))[codes[:, 2], codes[:, 3]]
    logit = np.sum(effects, axis=0) / 2 + pair + X[:, 0] * X[:, 1]
    frame = pd.DataFrame(X, columns=[f"number {j}" for j in range(4)])
    for j in range(len(levels)):
        frame[f"category {j}"] = [f"level {code}" for code in codes[:, j]]
    return table_of(frame, logit + random.logistic(size=n) > 0)


# All of them -----------------------------------------------------------------------------------

CATALOGUED: dict[str, Callable[[Path], Table]] = {
    "voice-gender": voice_gender,
    "ramen": ramen,
    "music": music,
    "netflix": netflix,
    "skin-cancer": skin_cancer,
    "youtube": youtube,
}
_SCIKIT_LEARN: dict[str, Callable[..., Any]] = {
    "breast-cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "wine": datasets.load_wine,
}
_MADE: dict[str, Callable[[Random], Table]] = {
    "clusters": lambda _: table_of(*workload.table(3168)),
    "five-classes": lambda _: classification(
        2000, 30, n_informative=12, n_classes=5, n_clusters_per_class=2
    ),
    "moons": moons,
    "friedman": friedman,
    "xor": xor,
    "sparse-linear": sparse_linear,
    "high-dimensional": lambda _: classification(
        300, 500, n_informative=20, n_redundant=0, flip_y=0.05
    ),
    "imbalanced": lambda _: classification(
        4000, 20, n_informative=8, weights=[0.95], class_sep=0.7
    ),
    "categories": categories,
}
REAL, MADE = (*CATALOGUED, *_SCIKIT_LEARN), (*_MADE,)
NAMES = (*REAL, *MADE)


def open_table(name: str, data: Path) -> Table:
    """Return a table by name.

    Raises
    ------
    FileNotFoundError
        If it is a catalogued one and not in ``data``.
    """
    if name in CATALOGUED:
        return CATALOGUED[name](data)
    if name in _SCIKIT_LEARN:
        return table_of(*_SCIKIT_LEARN[name](return_X_y=True))
    return _MADE[name](np.random.default_rng(0))
