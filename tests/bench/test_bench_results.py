from bench.bench_results import page


def row(study, plan="a", score=0.75, **changes):
    against = {
        name: {
            "delta": delta,
            "lower": delta - 0.01,
            "upper": delta + 0.01,
            "baseline_score": score - delta,
        }
        for name, delta in (("logistic", 0.05), ("boosting", 0.002))
    }
    verdict = {
        "outcome": "dl_not_worth",
        "metric": "auc",
        "reason": "Deep learning is not worth its cost here.",
        "claim": {
            "at_least": 0.7,
            "score": score,
            "interval": [score - 0.02, score + 0.02],
            "answer": "supported",
        },
        "deep_learning": {
            "against": against,
            "delta": 0.002,
            "seconds": {"net": 3.0, "boosting": 1.5, "logistic": 0.1},
        },
        "flags": [{"sentinel": "row_order", "accepted": "sorted by label"}],
    }
    return {
        **{"study": study, "plan": plan, "verdict": verdict | changes},
        **{"wall_s": 61.2, "cpu_s": 70.8, "peak_gb": 1.234},
    }


def test_a_line_names_the_strongest_simple_model_and_what_the_net_gains_over_it():
    text = page([row("ramen")], "python -m bench.bench_results")

    assert (
        "| ramen | A | `dl_not_worth` | auc | 0.7500 (0.7300 to 0.7700) | 0.7: supported | boosting 0.7480 "
        "| +0.0020 (-0.0080 to +0.0120) | 3.0, 1.5 | 61 | 71 | 1.2 |"
    ) in text
    assert "Alarms answered in the study: row_order." in text
    assert (
        "were not checked for it: voice-gender (plan A), voice-gender (plan B)" in text
    )


def test_what_a_leak_is_worth_is_the_difference_of_two_splits():
    rows = [row("ramen", score=0.70), row("ramen-by-row", score=0.76), row("music")]
    text = page(rows, "")

    assert "| ramen | 0.7000 | 0.7600 | +0.0600 |" in text
    assert "| music |" not in text.split("## In words")[0].split("worth")[-1]


def test_without_a_score_there_are_dashes_and_no_leak_to_tell():
    nothing = {"against": {}, "delta": None, "seconds": {}}
    none = {"at_least": 0.7, "score": None, "interval": None, "answer": "not_asked"}
    stopped = row("ramen", outcome="no_signal", claim=none, deep_learning=nothing)
    text = page(
        [stopped, row("ramen-by-row"), row("skin-cancer") | {"wall_s": None}], ""
    )

    assert (
        "| ramen | A | `no_signal` | auc | – | 0.7: not_asked | – | – | – | 61 |"
        in text
    )
    assert "| ramen | – | 0.75 | – |" in text
    assert "DermaMNIST" in text
    assert "| – | 71 |" in text
