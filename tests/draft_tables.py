"""Tables to draft studies of: one that has every kind of column, and small ones of awkward shapes."""

from typing import Any

import numpy as np
import pandas as pd

from assay.draft import Draft, draft_table
from assay.store.canonical import digest_bytes
from assay.study.plans import Study
from assay.study.sources import Source


def every_kind(n: int = 240) -> pd.DataFrame:
    """Return a table with a column for each role; ``bought`` follows ``age`` a little."""
    random = np.random.default_rng(11)
    age = random.normal(40, 12, n).round(1)
    bought = np.where(random.random(n) < 1 / (1 + np.exp((40 - age) / 12)), "yes", "no")
    words = np.array(
        [
            "good",
            "fresh",
            "warm",
            "soup",
            "noodle",
            "spicy",
            "cold",
            "rice",
            "beef",
            "egg",
        ]
    )
    days = pd.Timestamp("2020-03-01") + pd.to_timedelta(random.integers(0, 900, n), "D")
    genres = np.array(["Drama", "Comedy", "Action", "Crime"])
    return pd.DataFrame(
        {
            "order_id": np.arange(n) + 5000,
            "customer_id": random.integers(1, 60, n),
            "age": np.where(random.random(n) < 0.1, np.nan, age),
            "price": [f"${x:,.2f}" for x in random.uniform(5, 5000, n)],
            "length": [f"{x} min" if random.random() < 0.9 else "2 Seasons" for x in random.integers(40, 180, n)],
            "town": random.choice(["Busan", "Daegu", "Seoul"], n),
            "genres": [", ".join(random.choice(genres, random.integers(1, 4), replace=False)) for _ in range(n)],
            "day": [day.strftime("%d.%m.%Y") for day in days],
            "seen": days.strftime("%Y-%m-%dT08:30:00"),
            "member": random.choice([True, False], n),
            "review": [" ".join(random.choice(words, 5)) for _ in range(n)],
            "제목": [" ".join(random.choice(["매운", "라면", "순한", "우동", "국물"], 4)) + str(k) for k in range(n)],
            "photo": [f"img/{k}.jpg" for k in range(n)],
            "fixed": "always",
            "rare": np.where(np.arange(n) < 5, 1.0, np.nan),
            "paid": np.where(bought == "yes", "paid", "open"),
            "age again": np.where(random.random(n) < 2, age, 0),
            "twice": np.arange(n) % 7 + random.normal(size=n).round(3),
            "bought": bought,
        }
    ).assign(copy=lambda table: table["twice"])  # fmt: skip


def make_source(name: str = "table.csv") -> Source:
    return Source(name=name, path=name, digest=digest_bytes(name.encode()))


def drafted(frame: pd.DataFrame, target: str, **asked: Any) -> Draft:
    return draft_table(frame, make_source(), target, **asked)


def study_of(draft: Draft) -> Study:
    """Return the study that a draft's text declares."""
    import tomllib

    return Study.model_validate(
        tomllib.loads(draft.study("table", "table.json", "run it"))
    )
