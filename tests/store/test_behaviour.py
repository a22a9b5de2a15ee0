import pytest

from assay.store.behaviour import (
    AtRows,
    Epochs,
    FoldBehaviour,
    FoldDependence,
    behaviour_of,
)
from assay.store.canonical import canonical_json
from assay.store.records import Place
from assay.wording import Sentence


def fold(
    number: int,
    drops: dict[str, float] | None = None,
    dependences: tuple[FoldDependence, ...] = (),
    at_rows: dict[str, AtRows] | None = None,
    not_asked: dict[str, str] | None = None,
) -> FoldBehaviour:
    return FoldBehaviour(
        place=Place(repeat=0, fold=number),
        drops=drops or {},
        dependences=dependences,
        at_rows=at_rows or {},
        epochs=Epochs(fold=number, training=(1.0,), stopping=(1.0,), best=(1,)),
        not_asked=not_asked or {},
        seconds=1.0,
    )


def curve(column: str, *predicted: tuple[float, ...]) -> FoldDependence:
    values = tuple(map(float, range(len(predicted))))
    shares = (1 / len(predicted),) * len(predicted)
    return FoldDependence(
        column=column, values=values, predicted=predicted, shares=shares
    )


def test_importances_are_means_and_ranges_over_the_folds_the_largest_first():
    folds = [fold(0, {"a": 0.1, "b": 0.2}), fold(1, {"a": -0.1, "b": 0.4})]
    found = behaviour_of(folds, ("no", "yes"), {}).importances

    assert [one.column for one in found] == ["b", "a"]
    assert found[0].drop == pytest.approx(0.3)
    assert (found[0].low, found[0].high) == (0.2, 0.4)
    assert found[1].drop == pytest.approx(0.0)


def test_a_fold_that_cannot_tell_has_no_say_and_a_column_must_be_asked_in_all_others():
    folds = [fold(0), fold(1, {"a": 0.1, "b": 0.2}), fold(2, {"b": 0.4})]

    (first,) = behaviour_of(folds, ("no", "yes"), {}).importances
    assert (first.column, first.drop) == ("b", pytest.approx(0.3))


def test_many_columns_are_cut_to_the_most_important_and_the_rest_is_said():
    drops = {f"x{i:02}": i / 100 for i in range(43)}
    found = behaviour_of([fold(0, drops)], ("no", "yes"), {})

    assert len(found.importances) == 40
    assert found.importances[0].column == "x42"
    left_out = found.not_asked["records.less_important"]
    assert str(left_out).startswith("3 columns with smaller importances")


@pytest.mark.parametrize(
    ("classes", "rows", "of", "predicted"),
    [
        (("no", "yes"), ((0.9, 0.1), (0.2, 0.8)), "yes", (0.1, 0.8)),
        (("a", "b", "c"), ((0.2, 0.5, 0.3), (0.2, 0.1, 0.7)), "b", (0.5, 0.1)),
        ((), ((3.0,), (5.0,)), "", (3.0, 5.0)),
    ],
)
def test_a_dependence_is_told_of_the_second_of_two_classes_or_of_what_moves_most(
    classes, rows, of, predicted
):
    folds = [fold(0, {"x": 0.1}, (curve("x", *rows),))]

    (first,) = behaviour_of(folds, classes, {}).dependences
    assert (first.column, first.of, first.predicted) == ("x", of, predicted)


def test_dependences_are_of_the_six_most_important_columns_that_matter_at_all():
    names = [f"x{i}" for i in range(8)]
    curves = tuple(curve(name, (1.0,), (2.0,)) for name in names)
    drops = {name: 0.5 - 0.1 * i for i, name in enumerate(names)}
    every = behaviour_of([fold(0, drops, curves)], (), {})
    half = behaviour_of([fold(0, drops, curves), fold(1, drops, curves[:3])], (), {})

    assert [dependence.column for dependence in every.dependences] == names[
        :5
    ]  # x5 loses nothing
    assert [dependence.column for dependence in half.dependences] == names[:3]


def test_scores_at_rows_are_means_of_portions_that_every_fold_has():
    def at(n: int, net: float) -> AtRows:
        return AtRows(n_rows=n, scores={"net": net, "logistic": net - 0.1})

    folds = [
        fold(0, at_rows={"1/8": at(10, 0.5), "1/2": at(40, 0.6), "1": at(80, 0.7)}),
        fold(1, at_rows={"1/2": at(42, 0.8), "1": at(83, 0.9)}, not_asked={"x": "y"}),
        fold(
            2,
            at_rows={
                "1/2": AtRows(n_rows=41, scores={}),
                "1": AtRows(n_rows=80, scores={}),
            },
        ),
    ]
    found = behaviour_of(folds, ("no", "yes"), {"z": Sentence.plain("w")})

    assert [at_row.n_rows for at_row in found.at_rows] == [41, 81]
    assert [at_row.scores["net"] for at_row in found.at_rows] == pytest.approx(
        [0.7, 0.8]
    )
    left_out = {what: str(why) for what, why in found.not_asked.items()}
    assert left_out == {"z": "w", "x": "y"}


def test_what_comes_back_from_the_store_in_another_order_is_put_together_alike():
    """Stored JSON has its keys in alphabetical order: 1 before 1/2."""
    at_rows = {
        portion: AtRows(n_rows=n, scores={"net": 0.5 + n / 1000})
        for portion, n in (("1/8", 10), ("1/4", 20), ("1/2", 40), ("1", 80))
    }
    first = fold(0, {"b": 0.2, "a": 0.2}, at_rows=at_rows)
    stored = FoldBehaviour.model_validate_json(canonical_json(first.model_dump()))
    found = behaviour_of([stored], ("no", "yes"), {})

    assert [*stored.at_rows] != [*first.at_rows]
    assert [row.n_rows for row in found.at_rows] == [10, 20, 40, 80]


def test_how_long_it_took_is_no_part_of_what_was_found():
    first = fold(0)

    assert first.model_copy(update={"seconds": 9.0}).essence() == first.essence()
