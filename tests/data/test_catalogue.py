import pytest
from pydantic import ValidationError

from assay.data.catalogue import File, catalogue, dataset, licence_of, state_of
from assay.errors import AssayError, StudyError
from assay.study.load import load
from tests.conftest import ROOT

FILE = {"path": "a/b.csv", "sha256": "0" * 64, "bytes": 3}


def test_every_file_has_an_address_at_a_pinned_commit_or_a_way_by_hand():
    for one in catalogue().values():
        for file in one.files:
            assert (file.address is None) != (file.by_hand is None)
            if file.address is not None:
                assert any(len(part) == 40 for part in file.address.split("/"))


def test_a_path_stands_once_and_names_its_data_set():
    paths = [
        (name, file.path) for name, one in catalogue().items() for file in one.files
    ]

    assert len({path for _, path in paths}) == len(paths)
    assert all(path.startswith(f"{name}/") for name, path in paths)


def test_what_the_project_reads_is_what_the_catalogue_knows(catalogue):
    """Every catalogued file that is in place has the size and digest that the catalogue gives."""
    from assay.data.catalogue import catalogue as known

    states = {
        file.path: state_of(file, catalogue)
        for one in known().values()
        for file in one.files
    }

    assert set(states.values()) <= {"there", "missing"}, states


@pytest.mark.parametrize(
    "study", sorted((ROOT / "hypotheses").glob("*.toml")), ids=lambda path: path.stem
)
def test_the_sources_of_the_studies_are_built_in_or_catalogued(study):
    if study.read_text(encoding="utf-8").startswith("# Drafted from"):
        pytest.skip("a study of somebody's own table")
    declared = load(study)

    for name in declared.plans():
        source = declared.of(name).source
        assert source.startswith("builtin:") or licence_of(source) is not None


def test_a_licence_that_forbids_commercial_use_says_so():
    found = licence_of("skin-cancer/HAM10000_metadata.csv")

    assert found.commercial == "forbidden"
    assert "CC BY-NC 4.0, commercial use is forbidden" in str(found.terms())
    assert licence_of("builtin:digits") is None


def test_an_unknown_data_set_is_refused_with_the_known_ones():
    with pytest.raises(StudyError, match=r"no data set 'iris'.* netflix"):
        dataset("iris")


@pytest.mark.parametrize(
    "address",
    ["http://example.org/a", "ftp://example.org/a", "file:///a", "a", "https:///a"],
)
def test_only_https_is_an_address(address):
    with pytest.raises(ValidationError, match="https"):
        File.model_validate(FILE | {"from": address})


@pytest.mark.parametrize("path", ["/a", "../a", "a/../b", "a//b", "./a", "a\\b", ""])
def test_a_path_stays_below_the_data_folder(path):
    with pytest.raises(ValidationError):
        File.model_validate(FILE | {"path": path})


def test_a_catalogue_that_is_none_is_said_and_an_absent_one_is_empty(tmp_path):
    assert catalogue(tmp_path / "gone.toml") == {}
    bad = tmp_path / "bad.toml"
    bad.write_text("[a]\ntitle = 3\n")

    with pytest.raises(AssayError, match="is not a catalogue"):
        catalogue(bad)
