"""The same search by Assay's engine, as one process or one of several.

    python -m bench.our_search [full|quick] [SHARE OF] [floor]

Every process draws the same trials from keras-tuner's oracle and trains its share of them, all
folds in one call. ``floor`` adds what the matrix products alone cost in this process.
"""

import itertools
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from assay.models.search import Scores
from assay.store.records import Hyperparameters
from assay.store.seeds import seed_for
from bench import ours, workload
from bench.floor import multiplications, products_cpu_s
from bench.workload import Fold, Workload


def shares(
    asked: Sequence[Hyperparameters], n_shares: int, batch_size: int
) -> list[list[int]]:
    """Deal trials out, the dearest first, each to whoever has least to do."""
    costs = [
        multiplications(_layers(trial), batch_size, backward=True) for trial in asked
    ]
    dealt: list[list[int]] = [[] for _ in range(n_shares)]
    for number in sorted(range(len(asked)), key=lambda trial: -costs[trial]):
        least = min(dealt, key=lambda share: sum(costs[trial] for trial in share))
        least.append(number)
    return [sorted(share) for share in dealt]


def _layers(hyperparameters: Hyperparameters) -> list[tuple[int, int]]:
    depth, width = int(hyperparameters["depth"]), int(hyperparameters["width"])
    sizes = [workload.N_COLUMNS, *[width] * depth, 2]
    return list(itertools.pairwise(sizes))


class Search:
    """One share of the search over all folds, and what came of it."""

    def __init__(self, work: Workload, share: int, n_shares: int) -> None:
        self.work, self.share, self.n_shares = work, share, n_shares
        self.folds = [*workload.folds(work)]
        self.rows = [_rows(fold) for fold in self.folds]
        self.nets: list[ours.Net] = []
        self.done: list[ours.Done] = []
        self.train_cpu_s = 0.0
        # of each fold: inner AUC of its best trial, the trial, its AUC on the test part
        self.winners = [(-np.inf, -1, np.nan)] * len(self.folds)

    def try_all(self, asked: list[Hyperparameters]) -> Scores:
        """Train this process's share of the trials in every fold; the others' stay unscored."""
        mine = shares(asked, self.n_shares, self.work.batch_size)[self.share]
        self._train([(number, asked[number]) for number in mine])
        scores: Scores = [(None, None)] * len(asked)
        for place, number in enumerate(mine):
            of_trial = self.done[place * len(self.folds) :][: len(self.folds)]
            values = [self._tried(k, number, trial) for k, trial in enumerate(of_trial)]
            scores[number] = float(np.mean(values)), None
        return scores

    def _train(self, trials: Sequence[tuple[int, Hyperparameters]]) -> None:
        work = self.work
        self.nets = [
            ours.Net(rows, asked, seed_for(work.seed, number, k))
            for number, asked in trials
            for k, rows in enumerate(self.rows)
        ]
        begun = time.process_time()
        self.done = ours.trained(
            self.nets,
            epochs=work.epochs,
            patience=work.patience,
            batch_size=work.batch_size,
        )
        self.train_cpu_s = time.process_time() - begun

    def _tried(self, k: int, number: int, done: ours.Done) -> float:
        """Return a trial's inner score in a fold; the best so far is scored on the test part."""
        fold = self.folds[k]
        inner = float(roc_auc_score(fold.stop_labels, done.predict(fold.stop)))
        if inner > self.winners[k][0]:
            test = float(roc_auc_score(fold.test_labels, done.predict(fold.test)))
            self.winners[k] = (inner, number, test)
        return inner

    def floor_cpu_s(self) -> float:
        """Return what the products alone of all steps and stopping losses cost here."""
        costs: dict[tuple[Any, ...], float] = {}
        total, batch = 0.0, self.work.batch_size
        for net, done in zip(self.nets, self.done, strict=True):
            n_steps, n_stop = len(net.rows.train) // batch, len(net.rows.stop)
            for n_rows, backward, times in ((batch, True, n_steps), (n_stop, False, 1)):
                key = (*net.layers, n_rows, backward)
                if key not in costs:
                    costs[key] = products_cpu_s(net.layers, n_rows, backward=backward)
                total += done.epochs * times * costs[key]
        return total


def _rows(fold: Fold) -> ours.Rows:
    n_train, n = len(fold.train), len(fold.train) + len(fold.stop)
    return ours.Rows(
        inputs=np.vstack([fold.train, fold.stop]),
        labels=np.concatenate([fold.train_labels, fold.stop_labels]),
        train=np.arange(n_train),
        stop=np.arange(n_train, n),
    )


def main(arguments: list[str]) -> None:
    work = workload.WORKLOADS["quick" if "quick" in arguments else "full"]
    numbers = [int(word) for word in arguments if word.isdigit()]
    search = Search(work, *(numbers or (0, 1)))
    answer: dict[str, Any] = {"drawn": ours.drawn(work, search.try_all)}
    answer |= {"winners": search.winners, "train_cpu_s": search.train_cpu_s}
    if "floor" in arguments:
        answer["floor_cpu_s"] = search.floor_cpu_s()
    print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
