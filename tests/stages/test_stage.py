"""A cached result is never stale: every ingredient of a result is in its key."""

import pickle
from pathlib import Path

import pytest

from assay.errors import AssayError
from assay.store.records import Place
from assay.store.store import Store
from assay.study.plans import SplitPlan
from tasks.policies import RecordSerializer, Stage, plain_stages


def place_of(store: Store, place: Place, seed: int) -> Place:
    """A stage small enough to see through: it returns the next fold."""
    return Place(repeat=place.repeat, fold=place.fold + seed)


def stage_of() -> Stage:
    return Stage(place_of, timeout_s=60)


FIRST = {"place": Place(repeat=0, fold=1), "seed": 1}


def test_the_key_is_the_same_for_equal_inputs_in_any_store(tmp_path: Path):
    key = stage_of().key(FIRST | {"store": Store(tmp_path / "one")})

    assert key == stage_of().key(FIRST | {"store": Store(tmp_path / "two")})


@pytest.mark.parametrize(
    "changed",
    [{"seed": 2}, {"place": Place(repeat=0, fold=2)}, {"place": SplitPlan()}],
    ids=["value", "record", "kind of record"],
)
def test_the_key_changes_with_every_input(changed: dict[str, object]):
    assert stage_of().key(FIRST | changed) != stage_of().key(FIRST)


def test_the_key_changes_with_the_stage_and_with_its_code():
    other_name, other_code = stage_of(), stage_of()
    other_name.name = "another"
    other_code._code_digest = "0" * 64

    keys = {one.key(FIRST) for one in (stage_of(), other_name, other_code)}

    assert len(keys) == 3


def test_what_has_no_spelling_is_refused_a_place_in_the_key():
    with pytest.raises(TypeError, match="hand stages records or plain values"):
        stage_of().key(FIRST | {"seed": {1, 2}})


def test_a_result_whose_code_changed_meanwhile_is_not_kept(tmp_path: Path):
    stage = stage_of()
    run = stage._guarded(place_of)
    assert run(Store(tmp_path), FIRST["place"], 1) == Place(repeat=0, fold=2)

    stage._code_digest = "0" * 64  # as if the file had been saved since

    with pytest.raises(AssayError, match="changed while it ran"):
        run(Store(tmp_path), FIRST["place"], 1)


def test_only_records_can_be_read_back():
    serializer = RecordSerializer()

    assert serializer.loads(serializer.dumps(FIRST["place"])) == FIRST["place"]
    with pytest.raises(KeyError):
        serializer.loads(b'{"record": "os.system", "value": {}}')


def test_a_plain_stage_computes_and_leaves_nothing_behind(tmp_path: Path):
    store = Store(tmp_path)

    with plain_stages():
        found = stage_of()(store, Place(repeat=0, fold=1), seed=2)

    assert found == Place(repeat=0, fold=3)
    assert not list(tmp_path.rglob("*"))


def test_a_call_goes_to_another_process_as_the_name_of_its_stage(tmp_path: Path):
    from tasks import tune

    place = Place(repeat=0, fold=1)
    call = tune.of(Store(tmp_path), None, None, place, None, 1)  # type: ignore[arg-type]

    there = pickle.loads(pickle.dumps(call))

    assert there.stage is tune
    assert there.handed[3] == place
    assert str(there) == "tune repeat 1 fold 2"


def test_a_call_names_its_result_as_the_stage_does(tmp_path: Path):
    stage, store = stage_of(), Store(tmp_path)

    assert stage.of(store, FIRST["place"], 1).key() == stage.key(FIRST)
    assert stage.of(store, FIRST["place"], 1).stored() is None
