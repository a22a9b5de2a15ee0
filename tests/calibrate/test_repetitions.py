"""Finished repetitions on disk: read again in order, whatever a crash left."""

from assay.calibrate.repetitions import Ledger
from tests.calibrate.test_rates import make_repetition


def test_what_is_finished_is_read_again_in_order(tmp_path):
    ledger = Ledger(tmp_path / "inside" / "null-balanced.jsonl")
    ledger.add([make_repetition(3), make_repetition(1)])
    ledger.add([make_repetition(2)])

    assert [one.number for one in ledger.read()] == [1, 2, 3]
    assert ledger.read()[0] == make_repetition(1)


def test_a_line_cut_short_costs_that_repetition_only(tmp_path):
    ledger = Ledger(tmp_path / "null-balanced.jsonl")
    ledger.add([make_repetition(0), make_repetition(1)])
    content = ledger.path.read_bytes()
    ledger.path.write_bytes(content[:-20])

    ledger.add([make_repetition(2)])

    assert [one.number for one in ledger.read()] == [0, 2]


def test_nothing_finished_is_an_empty_ledger(tmp_path):
    assert Ledger(tmp_path / "none.jsonl").read() == []
