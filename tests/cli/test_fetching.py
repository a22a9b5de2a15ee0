"""The catalogue at the command line; no test asks the network for anything."""

from assay.cli.fetching import by_hand
from assay.data.catalogue import dataset
from bench.program import run_program


def test_the_list_names_every_data_set_its_terms_and_what_is_missing(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    (tmp_path / "ramen").mkdir()
    (tmp_path / "ramen" / "ramen-ratings.csv").write_text("not it")
    (tmp_path / "voice-gender").mkdir()
    (tmp_path / "voice-gender" / "voice.csv.part").write_text("begun")

    run = run_program(["fetch"])

    assert run.code == 0
    states = {
        line.split()[4]: line.split()[1]
        for line in run.out.splitlines()
        if line.startswith("  ")
    }
    assert states["ramen/ramen-ratings.csv"] == "damaged"
    assert states["voice-gender/voice.csv"] == "partial"
    assert states["netflix/netflix_titles.csv.gz"] == "missing"
    assert run.out.endswith("To download a data set: python -m assay fetch NAME\n")
    assert "commercial use is forbidden" in run.out
    assert len([*tmp_path.rglob("*.*")]) == 2, "nothing was written"


def test_an_unknown_data_set_is_a_usage_error():
    run = run_program(["fetch", "iris"])

    assert (run.code, run.out) == (2, "")
    assert run.err.startswith("The catalogue has no data set 'iris'")


def test_what_has_to_be_done_by_hand_says_what_and_where_and_is_then_verified(tmp_path):
    entry = dataset("skin-cancer")
    place = tmp_path / "skin-cancer" / "ham10000_images_200x150.tar"

    pixels, images = map(str, by_hand(entry, tmp_path))

    assert pixels.startswith("skin-cancer/ham10000_28_28_RGB.csv.gz is missing")
    assert f"Put it at {place}" in images
    place.parent.mkdir()
    place.write_bytes(b"another")
    assert "is another file: it has 7 bytes instead of 47,022,080" in str(
        by_hand(entry, tmp_path)[1]
    )
