import pytest

from assay.store.places import artifacts_folder, data_folder, package_file
from tests.conftest import ROOT


def test_folders_come_from_the_environment_or_the_project(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    monkeypatch.setenv("ASSAY_ARTIFACTS", str(tmp_path / "a"))
    assert (data_folder(), artifacts_folder()) == (tmp_path, tmp_path / "a")

    for empty in (lambda name: monkeypatch.setenv(name, ""), monkeypatch.delenv):
        empty("ASSAY_DATA")
        empty("ASSAY_ARTIFACTS")
        assert (data_folder(), artifacts_folder()) == (
            ROOT / "data" / "raw",
            ROOT / "artifacts",
        )


def test_a_packages_file_is_found_and_a_missing_one_named():
    assert package_file("sklearn", "datasets/data/digits.csv.gz").is_file()
    for package, inside in (("sklearn", "no.csv"), ("no_such_package", "x")):
        with pytest.raises(FileNotFoundError, match=f"{package} "):
            package_file(package, inside)
