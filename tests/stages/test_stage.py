"""A cached result is never stale: every ingredient of a result is in its key."""

import errno
import pickle
from pathlib import Path

import pytest

from assay.errors import AssayError, DataRefused
from assay.stages import Stage, Unstored, tune
from assay.stages.stage import decode, encode
from assay.store.records import Place
from assay.store.store import Store
from assay.study.plans import SplitPlan


def place_of(store: Store, place: Place, seed: int) -> Place:
    """A stage small enough to see through: it returns the next fold."""
    return Place(repeat=place.repeat, fold=place.fold + seed)


def stage_of() -> Stage:
    return Stage(place_of)


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
    other_code._code = "0" * 64

    keys = {one.key(FIRST) for one in (stage_of(), other_name, other_code)}

    assert len(keys) == 3


def test_what_has_no_spelling_is_refused_a_place_in_the_key():
    with pytest.raises(TypeError, match="hand stages records or plain values"):
        stage_of().key(FIRST | {"seed": {1, 2}})


def test_a_result_whose_code_changed_meanwhile_is_not_kept(tmp_path: Path):
    stage = stage_of()
    call = stage.of(Store(tmp_path), FIRST["place"], 1)
    assert call.compute() == Place(repeat=0, fold=2)

    stage._reached = "0" * 64  # as if a file had been saved since

    with pytest.raises(AssayError, match="changed while it ran"):
        call.compute()


def test_only_records_can_be_read_back():
    assert decode(encode(FIRST["place"])) == FIRST["place"]
    with pytest.raises(KeyError):
        decode(b'{"record": "os.system", "value": {}}')


def test_a_stage_answers_from_the_store_once_it_has_computed(tmp_path: Path):
    stage, store = stage_of(), Store(tmp_path)
    call = stage.of(store, FIRST["place"], 1)
    assert call.stored() is None

    record = stage(store, FIRST["place"], seed=1)

    assert call.stored() == record
    assert Store(tmp_path, fresh=True).folder == store.folder
    assert call.moved(Store(tmp_path, fresh=True)).stored() is None


def test_a_damaged_result_is_computed_again(tmp_path: Path):
    stage, store = stage_of(), Store(tmp_path)
    record = stage(store, FIRST["place"], 1)
    path = store.results.path(stage.of(store, FIRST["place"], 1).name)
    path.write_bytes(path.read_bytes()[:-3])

    assert stage.of(store, FIRST["place"], 1).stored() is None
    assert stage(store, FIRST["place"], 1) == record


def test_what_can_pass_is_tried_again_and_what_bytes_decided_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("assay.stages.stage.RETRY_DELAYS_S", (0.0, 0.0))
    tries: list[int] = []

    def busy(store: Store, place: Place) -> Place:
        tries.append(len(tries))
        if len(tries) < 3:
            raise OSError(errno.EBUSY, "busy")
        return place

    def refused(store: Store, place: Place) -> Place:
        tries.append(len(tries))
        raise DataRefused("no")

    assert Stage(busy)(Store(tmp_path), FIRST["place"]) == FIRST["place"]
    assert len(tries) == 3
    with pytest.raises(DataRefused):
        Stage(refused)(Store(tmp_path), FIRST["place"])
    assert len(tries) == 4


def test_unstored_calls_compute_and_leave_nothing_behind(tmp_path: Path):
    call = stage_of().of(Store(tmp_path), Place(repeat=0, fold=1), seed=2)

    assert Unstored().run(call) == Place(repeat=0, fold=3)
    assert not list(tmp_path.rglob("*"))


def test_a_call_goes_to_another_process_as_the_name_of_its_stage(tmp_path: Path):
    place = Place(repeat=0, fold=1)
    call = tune.of(Store(tmp_path), None, None, place, None, 1)  # type: ignore[arg-type]

    there = pickle.loads(pickle.dumps(call))

    assert there.stage is tune
    assert there.arguments[3] == place
    assert str(there) == "tune repeat 1 fold 2"


def test_the_key_covers_the_text_of_the_stage_and_the_modules_that_it_names():
    assert {"assay.models.tune", "assay.data.samples", "assay.store.records"} <= {
        *tune._modules
    }
    assert not any(name.startswith("assay.stages") for name in tune._modules)
