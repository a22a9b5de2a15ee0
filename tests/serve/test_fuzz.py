"""Damaged requests: each is answered, or refused in one sentence. ``bench.fuzz`` sends thousands."""

from bench import fuzz


def test_any_request_is_answered_or_refused_in_a_sentence_without_what_it_held(
    tmp_path,
):
    for number in range(60):
        outcome, said = fuzz.run_case("request", number, 0, tmp_path)

        assert outcome in fuzz.GOOD, (
            f"python -m bench.fuzz --seed 0 --only request --case {number}\n{said}"
        )
