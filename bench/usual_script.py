"""The search as it is usually written: StratifiedKFold, keras-tuner's RandomSearch, ``model.fit``.

    python -m bench.usual_script [full|quick]

TensorFlow's defaults throughout; ``bench_engine`` times this process from cold. Two things in it
are not what a beginner would write. keras-tuner 1.4.8 asks for the package tensorboard before each
trial, which TensorFlow no longer brings: ``Tuner`` leaves out that one step, which does nothing
unless logs for TensorBoard are wanted. And folds and space come from ``bench.workload``, where
Assay's side has them from.
"""

import json
import sys
import tempfile
from typing import Any

import keras
import keras_tuner
from sklearn.metrics import roc_auc_score

from bench import workload


class Tuner(keras_tuner.RandomSearch):  # type: ignore[misc]  # keras-tuner has no types
    """RandomSearch without its preparation of TensorBoard logs."""

    def _configure_tensorboard_dir(self, *_: Any) -> None:
        """Configure nothing: no callback here writes such logs."""


def build(hp: Any) -> keras.Model:
    depth = hp.Choice("depth", list(workload.DEPTHS))
    width = hp.Choice("width", list(workload.WIDTHS))
    dropout = hp.Choice("dropout", list(workload.DROPOUTS))
    learning_rate = hp.Float("learning_rate", *workload.LEARNING_RATES, sampling="log")
    weight_decay = hp.Float("weight_decay", *workload.WEIGHT_DECAYS, sampling="log")
    model = keras.Sequential([keras.Input((workload.N_COLUMNS,))])
    for _ in range(depth):
        model.add(keras.layers.Dense(width, activation="relu"))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate, weight_decay=weight_decay),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
    )
    return model


def main(arguments: list[str]) -> None:
    work = workload.WORKLOADS[arguments[0] if arguments else "full"]
    keras.utils.set_random_seed(work.seed)
    scores, drawn = [], []
    for number, fold in enumerate(workload.folds(work)):
        with tempfile.TemporaryDirectory() as folder:
            tuner = Tuner(
                build,
                objective=keras_tuner.Objective("val_auc", "max"),
                max_trials=work.trials,
                seed=work.seed,
                directory=folder,
                project_name=f"fold-{number}",
            )
            tuner.search(
                fold.train,
                fold.train_labels,
                validation_data=(fold.stop, fold.stop_labels),
                epochs=work.epochs,
                batch_size=work.batch_size,
                callbacks=[
                    keras.callbacks.EarlyStopping(
                        "val_loss", patience=work.patience, restore_best_weights=True
                    )
                ],
                verbose=0,
            )
            model = tuner.get_best_models(1)[0]
        predicted = model.predict(fold.test, verbose=0)[:, 0]
        scores.append(float(roc_auc_score(fold.test_labels, predicted)))
        trials = tuner.oracle.trials
        drawn.append([trials[name].hyperparameters.values for name in sorted(trials)])
    print(json.dumps({"scores": scores, "drawn": drawn}))


if __name__ == "__main__":
    main(sys.argv[1:])
