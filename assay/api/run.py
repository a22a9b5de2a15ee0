"""A finished run in Python: its verdict, its tables, its model, its report."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.api.tables import columns_of
from assay.errors import StudyError
from assay.judge.sentences import HEADLINES, sentences
from assay.report.folder import open_run as open_folder
from assay.reproduce.rerun import find_run
from assay.store import runs as store_runs
from assay.store.run_folder import fitting
from assay.store.runs import store_of
from assay.store.verdict import Verdict
from assay.wording import Language, spoken

if TYPE_CHECKING:
    import pandas as pd

    from assay.predict import Bundle
    from assay.report.folder import Run as RunFolder
    from assay.reproduce.receipt import Receipt


@dataclass(frozen=True)
class Run:
    """A finished check: what it found, and the folder it left.

    Examples
    --------
    ::

        run = assay.check(frame, target="paid")
        run.verdict.outcome
        run.predictions.head()
        run.model().predict(new_frame)
    """

    folder: Path

    def __repr__(self) -> str:
        sign, headline = HEADLINES[self.verdict.outcome]
        lines = [f"{sign} {headline}", *map(str, sentences(self.verdict))]
        return "\n  ".join(lines)

    def _repr_html_(self) -> str:
        """Return what a notebook shows: headline, answers, two pictures, a link to the report; no script."""
        from assay.api.page import run_card

        with fitting(self.folder):
            return run_card(self.contents)

    @cached_property
    def contents(self) -> "RunFolder":
        """The run's records, every file of the folder held to the digest its manifest names."""
        return open_folder(self.folder)

    @property
    def verdict(self) -> Verdict:
        """The verdict: ``outcome``, ``signal``, ``claim``, ``deep_learning``, and what they rest on."""
        return self.contents.verdict

    @cached_property
    def folds(self) -> "pd.DataFrame":
        """The score of each model on each outer fold: columns ``repeat, fold, model, score, fit_s``, from 1."""
        import pandas as pd

        rows = [
            {
                "repeat": result.place.repeat + 1,
                "fold": result.place.fold + 1,
                "model": name,
                "score": fit.score,
                "fit_s": fit.fit_s,
            }
            for result in self.contents.account.evidence.results
            for name, fit in result.models.items()
        ]
        return pd.DataFrame(rows, columns=["repeat", "fold", "model", "score", "fit_s"])

    @cached_property
    def predictions(self) -> "pd.DataFrame":
        """What each model predicted of each row in the outer fold that left it out; repeat and fold from 1.

        Raises
        ------
        StudyError
            If the check stopped before any model was compared.
        """
        from assay.reproduce.differences import predictions_in

        with fitting(self.folder):
            frame = predictions_in(self.folder)
        if frame is None:
            raise StudyError(
                "api.no_such_file",
                name="predictions.parquet",
                outcome=self.verdict.outcome,
            )
        return frame.assign(repeat=frame["repeat"] + 1, fold=frame["fold"] + 1)

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """Every trial of every search: where it was tried, its mean inner score, and its hyperparameters.

        Columns ``repeat, fold, model, trial, score, chosen``, from 1 but for ``trial``, which counts
        from 0, and one for each hyperparameter, missing where a model has none of that name.
        """
        import pandas as pd

        rows = [
            {
                "repeat": result.place.repeat + 1,
                "fold": result.place.fold + 1,
                "model": name,
                "trial": trial.number,
                "score": trial.score,
                "chosen": trial.number in (fit.picks or (fit.winner,)),
                **trial.hyperparameters,
            }
            for result in self.contents.account.evidence.results
            for name, fit in result.models.items()
            for trial in fit.trials
        ]
        names = ["repeat", "fold", "model", "trial", "score", "chosen"]
        return pd.DataFrame(rows, columns=None if rows else names)

    def model(self) -> "Model":
        """Return the model that the run left, for predicting new rows.

        Raises
        ------
        StudyError
            If the check stopped before a model was fitted.
        """
        from assay.predict import Bundle

        return Model(Bundle.open(self.folder))

    def report(self, lang: Language | None = None) -> Path:
        """Write the report in a language beside the project's runs, and return the page's path.

        Parameters
        ----------
        lang
            ``"en"`` or ``"ko"``; by default the language that is spoken.
        """
        from assay.report.page import page_again

        language = lang or spoken()
        own = self.folder / (
            "report.html" if language == "en" else f"report.{language}.html"
        )
        if own.is_file():
            return own
        page = (
            self.folder.parent.parent
            / "reports"
            / f"{self.folder.name}.{language}.html"
        )
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(page_again(self.contents, language), encoding="utf-8")
        return page

    def reproduce(
        self, environment: str = "here", data: str | Path | None = None
    ) -> "Receipt":
        """Run it again, compare every digest, and return the receipt, which is kept in ``receipts/``.

        Parameters
        ----------
        data
            The folder of the run's table, if it lies neither in the data folder nor in the current one.

        Raises
        ------
        NotReproducible
            If study, data or code are not those of the run; then nothing is run.
        """
        from assay.reproduce.again import reproduced

        store = store_of(self.folder.parent.parent)
        place = Path(data) if data is not None else None
        receipt, _ = reproduced(store, str(self.folder), place, environment)
        return receipt


@dataclass(frozen=True)
class Model:
    """A run's model."""

    bundle: "Bundle"

    def predict(self, rows: "pd.DataFrame | Mapping[str, Any]") -> "pd.DataFrame":
        """Predict rows.

        Parameters
        ----------
        rows
            A DataFrame, or columns by name, with every column that training saw.

        Returns
        -------
        pandas.DataFrame
            ``prediction``, the probability of each class as ``p_CLASS``, and ``remarks``: what about
            a row is outside of what training saw. The index is that of ``rows``.

        Raises
        ------
        DataRefused
            If a column is missing, or a cell is not what it must be.
        """
        import pandas as pd

        predictions = self.bundle.predict(columns_of(rows))
        index = rows.index if isinstance(rows, pd.DataFrame) else None
        frame = pd.DataFrame({"prediction": predictions.prediction}, index=index)
        for number, name in enumerate(predictions.classes):
            frame[f"p_{name}"] = predictions.probabilities[:, number]
        frame["remarks"] = list(predictions.remarks)
        return frame


def open_run(run: str | Path, artifacts: str | Path | None = None) -> Run:
    """Open a finished run.

    Parameters
    ----------
    run
        A run's folder or name, or the name of a study, which stands for its newest finished run.
    artifacts
        The folder that runs lie in; by default the project's own.

    Raises
    ------
    StudyError
        If there is no such run.
    CorruptObject
        If a file of it is not what its manifest names.
    """
    store = store_of(Path(artifacts) if artifacts is not None else None)
    opened = Run(find_run(store, str(run)))
    _ = opened.contents
    return opened


def runs(artifacts: str | Path | None = None) -> "pd.DataFrame":
    """Return the finished runs of a project, newest first: ``run, study, plan, outcome, finished, folder``."""
    import pandas as pd

    store = store_of(Path(artifacts) if artifacts is not None else None)
    rows = [
        (folder.name, verdict.study, verdict.plan, verdict.outcome, when, str(folder))
        for folder, verdict, when in store_runs.all_finished(store)
    ]
    names = ["run", "study", "plan", "outcome", "finished", "folder"]
    return pd.DataFrame(rows, columns=names)
