from typing import Any

import pytest

from assay.errors import NotReproducible
from assay.store import runs
from assay.store.store import Store
from assay.store.verdict import Bundle, Claim, DeepLearning, Signal, Verdict

NAME = "table-0123456789ab"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def make_verdict(**changes: Any) -> Verdict:
    values: dict[str, Any] = {
        "study": "table",
        "plan": "a",
        "outcome": "no_signal",
        "metric": "auc",
        "signal": Signal(answer="no_signal", statistic="auc", score=0.5, chance=0.5, p_value=0.4, permutations=99, detectable=0.6),
        "claim": Claim(answer="undecided", at_least=0.7, score=None, interval=None),
        "deep_learning": DeepLearning(
            answer="not_asked", delta=None, lower=None, upper=None, margin=0.02, against={}, seconds={},
            price={}, gain_per_second={}, needed_rows=None, method="",
        ),
        "flags": (),
        "deviations": (),
        "digests": {},
        "reason": "Nothing beats chance.",
    }  # fmt: skip
    return Verdict(**values | changes)


def make_bundle(store: Store, verdict: Verdict | None = None, **same: str) -> Bundle:
    verdict = verdict or make_verdict()
    files = {
        "verdict.json": store.put(verdict.model_dump_json().encode()),
        "bundle/net.txt": store.put(b"weights"),
    }
    known = {"verdict": verdict.essence_digest(), **same}
    return Bundle(files=files, same=known, verdict=verdict)


def test_a_published_run_is_finished_with_its_verdict(store):
    assert runs.finished(store, NAME) is None
    folder = runs.publish(store, NAME, "table", make_bundle(store), 1.0)

    assert runs.finished(store, NAME) == make_verdict()
    assert {file.relative_to(folder).as_posix() for file in folder.rglob("*.*")} == {
        "manifest.json",
        "verdict.json",
        "bundle/net.txt",
    }


@pytest.mark.parametrize("name", ["verdict.json", "bundle/net.txt", "manifest.json"])
@pytest.mark.parametrize("harm", ["altered", "cut", "gone"])
def test_a_run_with_a_harmed_file_is_not_believed_and_is_made_anew(store, name, harm):
    folder = runs.publish(store, NAME, "table", make_bundle(store), 1.0)
    path = folder / name
    if harm == "gone":
        path.unlink()
    else:
        content = path.read_bytes()
        path.write_bytes(content[:-3] if harm == "cut" else b"[" + content[1:])

    assert runs.finished(store, NAME) is None
    runs.publish(store, NAME, "table", make_bundle(store), 2.0)
    assert runs.finished(store, NAME) == make_verdict()


def test_an_equal_run_leaves_the_earlier_one_as_it_is(store):
    folder = runs.publish(store, NAME, "table", make_bundle(store), 1.0)
    before = (folder / "manifest.json").read_bytes()
    runs.publish(store, NAME, "table", make_bundle(store), 99.0)

    assert (folder / "manifest.json").read_bytes() == before


def test_a_run_with_other_digests_is_refused_and_the_earlier_one_stays(store):
    runs.publish(store, NAME, "table", make_bundle(store, scores="1" * 64), 1.0)

    with pytest.raises(
        NotReproducible,
        match=r"digest of its scores was 111111111111 and is now 222222222222",
    ):
        runs.publish(store, NAME, "table", make_bundle(store, scores="2" * 64), 1.0)
    with pytest.raises(NotReproducible, match="weights was absent"):
        runs.publish(
            store,
            NAME,
            "table",
            make_bundle(store, scores="1" * 64, weights="3" * 64),
            1.0,
        )
    assert runs.finished(store, NAME) == make_verdict()


def test_a_verdict_of_another_form_is_not_believed(store):
    bundle = make_bundle(store)
    files = bundle.files | {"verdict.json": store.put(b'{"outcome": "proven"}')}
    runs.publish(store, NAME, "table", bundle.model_copy(update={"files": files}), 1.0)

    assert runs.finished(store, NAME) is None


def test_deviations_and_seconds_are_no_part_of_a_verdicts_essence():
    plain = make_verdict()
    later = plain.after(None, ("differs from an earlier registration",))

    assert later.essence_digest() == plain.essence_digest()
    assert plain.after(plain, ()).essence_digest() != plain.essence_digest()
