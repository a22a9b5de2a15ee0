"""The benchmarks measure what they say: equal work on both sides, ratios, tables, kept results."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from bench import (
    bench_engine,
    bench_overhead,
    bench_parity,
    bench_quality,
    bench_reader,
    bench_scale,
    bench_stages,
    tables,
)
from bench.cold import Cost, run_cold
from bench.floor import multiplications, products_cpu_s
from bench.models import MODELS
from bench.program import Run
from bench.workload import N_COLUMNS, WORKLOADS, Workload, folds

SMALL = Workload(n_rows=400)


# The engine ------------------------------------------------------------------------------------


def test_the_workload_is_the_one_that_was_promised():
    assert WORKLOADS["full"] == Workload(3168, 5, 5, 10, 100, 10, 64, 42)
    assert WORKLOADS["quick"] == Workload(used=2, trials=3, epochs=20)


def test_each_row_is_tested_once_and_never_in_training():
    parts = [*folds(SMALL)]

    assert sum(len(fold.test) for fold in parts) == 400
    for fold in parts:
        assert len(fold.train) + len(fold.stop) + len(fold.test) == 400
        assert len(fold.stop) == len(fold.train) // 4
        assert fold.train.shape[1] == N_COLUMNS


def test_rows_are_scaled_by_the_inner_training_part_alone():
    for fold in folds(SMALL):
        assert np.allclose(fold.train.mean(axis=0), 0, atol=1e-5)
        assert np.allclose(fold.train.std(axis=0), 1, atol=1e-4)
        assert not np.allclose(fold.stop.mean(axis=0), 0, atol=1e-3)


def test_a_step_multiplies_what_one_counts_by_hand():
    """3 to 4 to 2, ten rows: forward 12 + 8; backward as much for kernels, 8 for hidden inputs."""
    layers = [(3, 4), (4, 2)]

    assert multiplications(layers, 10, backward=False) == 200
    assert multiplications(layers, 10, backward=True) == 480


def test_products_take_time():
    assert products_cpu_s([(3, 4), (4, 2)], 16, backward=True) > 0


def said(winners, train_cpu_s=6.0, drawn=("a",)):
    return {
        "drawn": list(drawn),
        "winners": winners,
        "train_cpu_s": train_cpu_s,
        "floor_cpu_s": 2.0,
    }


def measured(usual_drawn=("a",), second_winner=(0.7, 0, 0.6)):
    first = Cost((said([(0.9, 1, 0.8), (0.8, 0, 0.9)]),), wall_s=4.0, cpu_s=5.0)
    two = Cost(
        (
            said([second_winner, (0.8, 0, 0.9)]),
            said([(0.9, 1, 0.8), (0.8, 2, 0.1)]),
        ),
        wall_s=2.0,
        cpu_s=8.0,
    )
    usual = Cost(
        ({"drawn": [list(usual_drawn)] * 2, "scores": [0.7, 0.8]},),
        wall_s=100.0,
        cpu_s=120.0,
    )
    return bench_engine.Measured(usual, [first], [two], [first])


def test_ratios_are_the_scripts_cost_over_ours():
    found = bench_engine.figures(measured())

    assert found["cpu_ratio"] == 120 / 5
    assert found["wall_ratio"] == 100 / 2
    assert found["floor_ratio"] == 6 / 2
    assert found["auc_usual"] == pytest.approx(0.75)
    assert found["auc_assay"] == pytest.approx(0.85)


def test_other_hyperparameters_on_one_side_are_no_comparison():
    with pytest.raises(ValueError, match="not the same trials"):
        bench_engine.figures(measured(usual_drawn=("b",)))


def test_processes_that_disagree_are_found():
    with pytest.raises(ValueError, match="not the same scores"):
        bench_engine.figures(measured(second_winner=(0.95, 0, 0.6)))


def test_a_process_that_fails_is_reported_with_what_it_wrote():
    with pytest.raises(RuntimeError, match=r"No module named bench\.absent"):
        run_cold(["bench.absent"])


# Scale and overhead ----------------------------------------------------------------------------


def test_the_memory_bound_is_three_tables_and_a_half_more_than_one_gigabyte():
    assert bench_scale.bound_bytes(1_000_000, 50) == 3 * 200e6 + 1.5e9


def test_sizes_are_held_against_the_first():
    size = {"rows": 1000, "columns": 0, "peak_bytes": 0.75e9}
    first, second = bench_scale.lines(
        [size | {"row_epoch_us": 2.0}, size | {"row_epoch_us": 3.0}]
    )

    assert (first["ratio"], second["ratio"]) == (1.0, 1.5)
    assert first["memory_ratio"] == 0.5


def test_time_outside_training_leaves_out_the_stages_that_train_and_stored_ones():
    err = (
        "ingest  1.0 s  rows\ngate  3.0 s  AUC\ntune  stored  fold\nfinal  2.0 s  it\n"
    )
    run = Run(0, "", err, wall_s=10.0, cpu_s=9.0)

    assert bench_overhead.outside_s(run) == 5.0
    assert run.stage_seconds() == 6.0


# Quality ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(tables.NAMES) - set(tables.CATALOGUED)))
def test_a_table_is_numbers_and_text_with_five_rows_of_each_class(name):
    table = tables.open_table(name, Path())

    assert len(table.features) == len(table.labels)
    assert min(np.bincount(table.labels)) >= bench_quality.N_FOLDS
    assert table.features.select_dtypes("number").dtypes.eq(np.float64).all()
    text = table.features.select_dtypes(exclude="number")
    assert all(type(cell) is str for cell in text.to_numpy().ravel())
    assert table.digest() == tables.open_table(name, Path()).digest()


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("voice-gender", (1584, 1584)),
        ("ramen", (1450, 1127)),
        ("music", (100, 100, 100, 99, 98, 100, 93, 98, 99, 99)),
        ("netflix", (6131, 2676)),
        ("youtube", (165, 165)),
    ],
)
def test_a_catalogued_table_has_the_classes_it_should(name, counts, catalogue):
    table = tables.open_table(name, catalogue)

    assert tuple(np.bincount(table.labels)) == counts


def test_one_image_of_each_lesion_is_kept(catalogue):
    assert len(tables.open_table("skin-cancer", catalogue).features) == 7470


def test_an_absent_table_says_which_file_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"voice\.csv"):
        tables.open_table("voice-gender", tmp_path)


@given(st.integers(0, 1000), st.integers(2, 4))
def test_scores_are_those_of_scikit_learn(seed, n_classes):
    generator = np.random.default_rng(seed)
    labels = np.append(np.arange(n_classes), generator.integers(0, n_classes, 20))
    p = generator.dirichlet(np.ones(n_classes), len(labels)).clip(1e-6)
    p /= p.sum(axis=1, keepdims=True)
    each = [roc_auc_score(labels == k, p[:, k]) for k in range(n_classes)]

    found = bench_quality.scored(labels.astype(np.int32), p)

    assert found["auc"] == pytest.approx(np.mean(each))
    assert found["log_loss"] == pytest.approx(log_loss(labels, p))


def test_a_stopped_run_goes_on_where_it_was_cut(tmp_path):
    """What a kill left of a line is fitted again; whole lines are not."""
    file = tmp_path / "quality.jsonl"
    some = {"wine": tables.open_table("wine", Path())}
    first = [*bench_quality.fit_missing(file, some, ["hist"], 2)]
    whole = file.read_text()
    file.write_text(whole[:-10])

    again = [*bench_quality.fit_missing(file, some, ["hist"], 2)]

    assert [row["fold"] for row in first] == [0, 1]
    assert [row["fold"] for row in again] == [1]
    assert again[0]["auc"] == first[1]["auc"]
    assert len(bench_quality.read(file)) == 2


def cells():
    rows = [
        ("a", "hist", 0, 0.9),
        ("a", "hist", 1, 0.8),
        ("a", "lightgbm-tuned", 0, 0.7),
        ("b", "hist", 0, 0.6),
        ("b", "lightgbm-tuned", 0, 0.7),
    ]
    found = {}
    for table, model, fold, auc in rows:
        row = {"auc": auc, "log_loss": 1 - auc, "cpu_s": 2.0 * (fold + 1)}
        found.setdefault((table, model), {})[fold] = row
    return found


def test_differences_are_of_the_folds_that_both_models_have():
    gap = bench_quality.difference(cells(), "a", "hist", "auc")

    assert gap == pytest.approx(0.2)


def test_every_table_counts_once_in_the_summary():
    found = bench_quality.summary(cells(), ["a", "b"], ["hist", "catboost-tuned"])

    assert found["hist"]["auc_difference"] == pytest.approx((0.2 - 0.1) / 2)
    assert found["hist"]["log_loss_difference"] == pytest.approx((-0.2 + 0.1) / 2)
    assert (found["hist"]["won_auc"], found["hist"]["won_log_loss"]) == (1, 1)
    assert found["hist"]["cpu_s_per_fold"] == pytest.approx((3.0 + 2.0) / 2)
    assert "not installed" in bench_quality.overall(found).splitlines()[-1]
    json.dumps(found, allow_nan=False)


def test_results_of_other_data_or_an_older_version_are_not_reported():
    wine = {"wine": tables.open_table("wine", Path())}
    now = {
        "table": "wine",
        "data": wine["wine"].digest(),
        "fold": 0,
        "model": "hist",
        "version": MODELS["hist"].version(),
    }
    old = [now | {"data": "another"}, now | {"version": "older"}, now | {"fold": 4}]

    cells = bench_quality.chosen([*old, now], wine, ["hist"], 2)

    assert cells == {("wine", "hist"): {0: now}}


# Whole programs --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n_shares", [1, 2, 4])
def test_shares_hold_every_trial_once(n_shares):
    from bench.our_search import shares

    asked = [{"depth": d, "width": w} for d in (2, 3) for w in (64, 128)]
    dealt = shares(asked, n_shares, 64)

    assert sorted(number for share in dealt for number in share) == [0, 1, 2, 3]
    assert all(dealt)


@pytest.mark.slow
def test_models_of_ours_return_probabilities_of_rows_they_have_not_seen():
    from bench import ours

    wine = tables.open_table("wine", Path())
    train, test = wine.features[::2], wine.features[1::2]

    predicted = ours.probabilities(
        "net",
        train.reset_index(drop=True),
        wine.labels[::2],
        test.reset_index(drop=True),
    )

    assert predicted.shape == (len(test), 3)
    assert roc_auc_score(wine.labels[1::2], predicted, multi_class="ovr") > 0.9


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer")
def test_both_sides_of_the_engine_benchmark_try_the_same_and_learn(capsys, monkeypatch):
    from bench import our_search, usual_script

    tiny = Workload(n_rows=1500, used=1, trials=2, epochs=12)
    monkeypatch.setitem(WORKLOADS, "quick", tiny)

    def cost(main, *arguments):
        main(["quick", *arguments])
        return Cost((json.loads(capsys.readouterr().out),), wall_s=1.0, cpu_s=1.0)

    one, floor = cost(our_search.main), cost(our_search.main, "floor")
    halves = [cost(our_search.main, share, "2").said[0] for share in "01"]
    two = Cost(tuple(halves), wall_s=1.0, cpu_s=1.0)
    usual = cost(usual_script.main)
    figures = bench_engine.figures(bench_engine.Measured(usual, [one], [two], [floor]))

    assert figures["floor_ratio"] > 0
    assert figures["auc_usual"] > 0.6
    assert figures["auc_assay"] > 0.6


@pytest.mark.slow
def test_a_size_of_the_scale_benchmark_says_its_time_and_memory(capsys, monkeypatch):
    from bench import our_size

    monkeypatch.setattr(our_size, "_LEAST_ROWS", 4000)
    our_size.main(["2000", "10"])
    size = json.loads(capsys.readouterr().out)

    assert (size["rows"], size["columns"]) == (2000, 10)
    (line,) = bench_scale.lines([size])
    assert line["memory_ratio"] > 0


@pytest.mark.slow
def test_the_reader_benchmark_ends_with_a_cost_for_each_stage(capsys):
    bench_reader.main(["--rows=500", "--json"])
    told = json.loads(capsys.readouterr().out.splitlines()[-1])

    assert (told["rows"], told["columns"]) == (500, 12)
    assert list(told["stages"])[1:] == [
        "read",
        "store",
        "describe",
        "open",
        "validate",
        "clean",
    ]


@pytest.mark.slow
def test_the_three_forms_of_a_convolution_do_the_same_work():
    """Equal gradients, so that their costs can be compared."""
    from bench import bench_convolution as convolution

    kernels, images = convolution.drawn(2, 4)
    expected = convolution.loop(kernels, images)

    for form in (convolution.grouped, convolution.patches):
        for one, other in zip(form(kernels, images), expected, strict=True):
            assert np.asarray(one) == pytest.approx(
                np.asarray(other), rel=1e-3, abs=1e-3
            )


# Bundles beside training -----------------------------------------------------------------------


def test_a_row_of_the_parity_table_has_every_difference():
    row = bench_parity.Row("toy", "a", 8807, 191, 2, 1.2e-7, 0, 0.0, 2.4e-7, 1524, 2.9)
    text = bench_parity.table([row])

    assert "| toy | 8,807 | 191 | 2 | 1.2e-07 | 0 | 2.4e-07 | 0.0e+00 | 1,524 |" in text


# Stages ----------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="Linux")
def test_what_a_child_of_a_child_costs_is_counted_and_one_that_is_gone_costs_nothing():
    waits = "import time; time.sleep(60)"
    starts = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {waits!r}])"
    )
    with subprocess.Popen([sys.executable, "-c", starts]) as process:
        try:
            begun = time.monotonic()
            while len([*bench_stages.descendants(process.pid)]) < 1:
                assert time.monotonic() < begun + 30
            [child] = bench_stages.descendants(process.pid)
            own = [*bench_stages.descendants(os.getpid())]
            assert {process.pid, child} <= {*own}
            assert bench_stages.cpu_of(child) >= 0
        finally:
            for one in (*bench_stages.descendants(process.pid), process.pid):
                os.kill(one, signal.SIGKILL)
    assert bench_stages.cpu_of(process.pid) == 0.0


def test_stages_are_told_with_their_share():
    assert "| tune | 3.0 | 75% |" in bench_stages.table({"gate": 1.0, "tune": 3.0})
