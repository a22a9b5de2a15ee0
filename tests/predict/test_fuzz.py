"""Bundles that are damaged in one place: opened and used, or refused in one sentence. ``bench.fuzz`` runs thousands."""

from bench import fuzz


def test_a_damaged_bundle_predicts_or_is_refused_in_words(tmp_path):
    for number in range(60):
        outcome, said = fuzz.run_case("bundle", number, 0, tmp_path)
        assert outcome in fuzz.GOOD, (
            f"python -m bench.fuzz --seed 0 --only bundle --case {number}\n{said}"
        )
