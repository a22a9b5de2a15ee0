"""The suites of the six catalogued tables: what each rule catches, and what the published files hold."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from assay.data.ingest import read_source
from assay.data.validate import validate_table
from assay.errors import DataRefused
from assay.store.records import ExpectationOutcome
from assay.study.sources import Suite
from tests.conftest import ROOT
from tests.factories import make_snapshot, make_source

Damage = dict[str, Any] | Callable[[pd.DataFrame], pd.DataFrame]

FILES = {
    "music-genre": "music-genre/features_30_sec.csv",
    "netflix": "netflix/netflix_titles.csv.gz",
    "ramen": "ramen/ramen-ratings.csv",
    "skin-cancer": "skin-cancer/HAM10000_metadata.csv",
    "voice-gender": "voice-gender/voice.csv",
    "youtube-korea": "youtube-korea/KR_youtube_trending_data.csv",
}

# Small tables as they should be ------------------------------------------------------------------


def music() -> pd.DataFrame:
    """Return as many rows as it takes for lengths and tempos to be many."""
    n = 120
    measured = rules_of("music-genre")["columns"]["kwargs"]["column_set"]
    columns = {name: np.linspace(0.1, 0.9, n) for name in measured}
    return pd.DataFrame(columns).assign(
        filename=[f"take.{row:05}.wav" for row in range(n)],
        length=range(661_000, 661_000 + n),
        tempo=np.linspace(60, 180, n),
        label=["jazz", "rock"] * (n // 2),
    )


def voices() -> pd.DataFrame:
    names = rules_of("voice-gender")["columns"]["kwargs"]["column_set"]
    rows = pd.DataFrame({name: np.linspace(0.1, 0.2, 4) for name in names})
    return rows.assign(
        label=["male", "female"] * 2,
        Q75=rows["Q25"] + 0.01,
        maxdom=rows["mindom"] + 0.01,
        centroid=rows["meanfreq"] + 0.01,
    )


def titles() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "show_id": ["s1", "s2", "s3"],
            "type": ["Movie", "TV Show", "Movie"],
            "title": ["15 August", "2,215", "기생충"],
            "director": ["A", "B", "C"],
            "cast": ["D, E", "F", "G"],
            "country": ["India", "Norway, Poland", "South Korea"],
            "date_added": ["March 29, 2019", "June 4, 2020", "June 4, 2020"],
            "release_year": [2019, 2020, 2019],
            "rating": ["TV-14", "TV-MA", "R"],
            "duration": ["124 min", "1 min", "132 min"],
            "listed_in": ["Dramas", "Comedies", "Thrillers"],
            "description": ["One.", "Two.", "Three."],
        }
    )


def videos() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "video_id": ["uq5LClQN3cE", "I-ZbZCHsHD0", "9d7jNUjB_ss"],
            "title": ["안녕하세요", "Hello", "또 봐요"],
            "publishedAt": ["2020-08-09T09:32:48Z"] * 3,
            "channelId": ["c1", "c2", "c3"],
            "channelTitle": ["A", "B", "C"],
            "categoryId": [24, 10, 1],
            "trending_date": ["2020-08-12T00:00:00Z"] * 3,
            "tags": ["a|b", "c", "d"],
            "view_count": [100, 200, 300],
            "likes": [1, 2, 3],
            "dislikes": [0, 1, 0],
            "comment_count": [4, 5, 6],
            "thumbnail_link": ["x", "y", "z"],
            "comments_disabled": [False, False, False],
            "ratings_disabled": [False, False, False],
            "description": ["One", "Two", "Three"],
        }
    )


def noodles() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Review #": [3, 2, 1],
            "Brand": ["MAMA", "KOKA", "Nongshim"],
            "Variety": ["Tom Yum", "Laksa", "신라면"],
            "Style": ["Pack", "Cup", "Bowl"],
            "Country": ["Thailand", "Singapore", "South Korea"],
            "Stars": ["3.75", "4", "5"],
            "Top Ten": [None, None, None],
        }
    )


def lesions() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lesion_id": ["HAM_0000118", "HAM_0000119", "HAM_0000120"],
            "image_id": ["ISIC_0027419", "ISIC_0027420", "ISIC_0027421"],
            "dx": ["bkl", "mel", "nv"],
            "dx_type": ["histo", "consensus", "histo"],
            "age": [80.0, 45.0, 5.0],
            "sex": ["male", "female", "male"],
            "localization": ["scalp", "back", "face"],
        }
    )


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "music-genre": music,
    "netflix": titles,
    "ramen": noodles,
    "skin-cancer": lesions,
    "voice-gender": voices,
    "youtube-korea": videos,
}

# What each rule catches: cells of the first row, or what is done to the whole table -------------------


def renamed(column: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.rename(columns={column: f"{column} 2"})


def repeated(*columns: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Give the second row what the first has in these columns; in all of them if none is named."""

    def damage(frame: pd.DataFrame) -> pd.DataFrame:
        for column in columns or frame.columns:
            frame.loc[1, column] = frame.loc[0, column]
        return frame

    return damage


def everywhere(**values: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**values)


def as_it_is(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


_VOICE_KHZ = (
    "meanfreq",
    "median",
    "Q25",
    "Q75",
    "IQR",
    "centroid",
    "meanfun",
    "minfun",
    "maxfun",
    "mode",
)
_MUSIC_SHARES = ("chroma_stft_mean", "zero_crossing_rate_mean", "rms_mean")
_MUSIC_HERTZ = ("spectral_centroid_mean", "spectral_bandwidth_mean", "rolloff_mean")
_MUSIC_SPREADS = ("rms_var", "rolloff_var", "mfcc1_var", "mfcc20_var")
_MUSIC_THERE = ("chroma_stft_mean", "rolloff_var", "tempo", "mfcc1_mean", "mfcc20_var")

DAMAGES: dict[str, dict[str, Damage]] = {
    "music-genre": {
        "rows": as_it_is,
        "columns": renamed("tempo"),
        "file-once": repeated("filename"),
        "file-name": {"filename": "jazz 1.wav"},
        "file-names-genre": {"filename": "jazz.00001.wav"},
        "label-there": {"label": None},
        "label-known": {"label": "Jazz"},
        "recording-once": repeated(),
        "length-half-minute": {"length": 675_808},
        "length-artefact": everywhere(length=661_794),
        "tempo-grid": everywhere(tempo=120.0),
        "tempo-range": {"tempo": 0.0},
        **{f"{name}-share": {name: 1.5} for name in _MUSIC_SHARES},
        **{f"{name}-hertz": {name: 44_100.0} for name in _MUSIC_HERTZ},
        **{f"{name}-spread": {name: -1.0} for name in _MUSIC_SPREADS},
        **{f"{name}-there": {name: None} for name in _MUSIC_THERE},
    },
    "netflix": {
        "rows": as_it_is,
        "columns": renamed("cast"),
        "show-once": repeated("show_id"),
        "show-number": {"show_id": "Movie"},
        "type-there": {"type": None},
        "type-known": {"type": "movie"},
        "title-there": {"title": None},
        "title-no-date": {"title": "15-Aug"},
        "title-once": repeated("title"),
        "title-invisible": {"title": "\u200bSAINT SEIYA"},
        "title-one-line": {"title": "The Memphis Belle:\nA Story"},
        "description-there": {"description": None},
        "description-once": repeated("description"),
        "description-one-line": {"description": "One.\nTwo."},
        "director-there": {"director": None},
        "cast-there": {"cast": None},
        "cast-invisible": {"cast": "Seong-joo Kim\u200b, Jung-hwan Ahn"},
        "country-there": {"country": None},
        "country-commas": {"country": ", South Korea"},
        "date-there": {"date_added": None},
        "date-form": {"date_added": "25-Sep-21"},
        "release-year": {"release_year": 21},
        "rating-there": {"rating": None},
        "rating-no-duration": {"rating": "74 min"},
        "rating-known": {"rating": "FSK 16"},
        "duration-there": {"duration": None},
        "duration-form": {"duration": "R"},
        "duration-gives-type": {"type": "TV Show", "duration": "2 Seasons"},
        "genres-there": {"listed_in": None},
        "genres-give-type": {"type": "TV Show", "listed_in": "TV Dramas"},
    },
    "ramen": {
        "rows": as_it_is,
        "columns": renamed("Review #"),
        "review-once": repeated("Review #"),
        "product-once": repeated("Brand", "Variety", "Style", "Country", "Stars"),
        "brand-there": {"Brand": None},
        "brand-spelling": {"Brand": "Mama"},
        "variety-there": {"Variety": None},
        "variety-blanks": {"Variety": "Tantanmen "},
        "style-there": {"Style": None},
        "style-known": {"Style": "cup"},
        "style-rare": {"Style": "Box"},
        "country-there": {"Country": None},
        "country-spelling": {"Country": "Holland"},
        "stars-there": {"Stars": None},
        "stars-form": {"Stars": "5.5"},
        "stars-unrated": {"Stars": "Unrated"},
        "stars-quarters": {"Stars": "4.125"},
        "top-ten-after": {"Top Ten": "2016 #1"},
        "top-ten-blank": {"Top Ten": "\n"},
    },
    "skin-cancer": {
        "rows": as_it_is,
        "columns": renamed("dx"),
        "image-named": {"image_id": None},
        "image-once": repeated("image_id"),
        "image-name": {"image_id": "27419"},
        "lesion-named": {"lesion_id": None},
        "lesion-name": {"lesion_id": "118"},
        "lesion-once": repeated("lesion_id"),
        "diagnosis-there": {"dx": None},
        "diagnosis-known": {"dx": "melanoma"},
        "dx-type-known": {"dx_type": "guess"},
        "follow-up-gives-naevus": {"dx": "nv", "dx_type": "follow_up"},
        "histology-gives-melanoma": {"dx": "mel", "dx_type": "histo"},
        "age-there": {"age": None},
        "age-range": {"age": 200.0},
        "age-zero": {"age": 0.0},
        "age-fives": {"age": 33.0},
        "sex-known": {"sex": "m"},
        "sex-unknown": {"sex": "unknown"},
        "place-known": {"localization": "Back"},
        "place-unknown": {"localization": "unknown"},
    },
    "voice-gender": {
        "rows": as_it_is,
        "columns": renamed("sp.ent"),
        "label-there": {"label": None},
        "label-known": {"label": "Male"},
        "meanfreq-there": {"meanfreq": None},
        "meanfun-there": {"meanfun": None},
        "IQR-there": {"IQR": None},
        **{f"{name}-kilohertz": {name: 180.0} for name in _VOICE_KHZ},
        "sp.ent-share": {"sp.ent": 1.2},
        "sfm-share": {"sfm": -0.1},
        "modindx-share": {"modindx": 1.5},
        "quartiles-ordered": {"Q75": 0.01},
        "kurt-spikes": {"kurt": 1309.6},
        "mode-zero": {"mode": 0.0},
        "centroid-copies-meanfreq": lambda f: f.assign(centroid=f["meanfreq"]),
        "dfrange-zero": {"dfrange": 0.0},
        "modindx-zero": {"modindx": 0.0},
        "dominant-ordered": {"maxdom": 0.01},
        "recording-once": repeated(),
    },
    "youtube-korea": {
        "rows": as_it_is,
        "columns": renamed("title"),
        "video-named": {"video_id": None},
        "video-name": {"video_id": "#NAME?"},
        "video-once": repeated("video_id"),
        "video-once-a-day": repeated("video_id", "trending_date"),
        "channel-named": {"channelId": None},
        "title-there": {"title": None},
        "title-readable": {"title": "\ufffd\ufffd"},
        "published-form": {"publishedAt": "09.08.2020"},
        "trending-form": {"trending_date": "20.12.08"},
        "category-there": {"categoryId": None},
        "category-known": {"categoryId": 29},
        "tags-there": {"tags": None},
        "tags-none": {"tags": "[None]"},
        "description-there": {"description": None},
        "views-counted": {"view_count": 0, "likes": 0},
        "likes-counted": {"likes": -1},
        "dislikes-counted": {"dislikes": -1},
        "comments-counted": {"comment_count": -1},
        "likes-of-views": {"view_count": 5, "likes": 6},
        "ratings-flag": lambda f: f.assign(ratings_disabled="no"),
        "comments-flag": lambda f: f.assign(comments_disabled="no"),
        "likes-unknown": {"likes": 0, "ratings_disabled": True},
        "comments-unknown": {"comment_count": 0, "comments_disabled": True},
        "dislikes-given": everywhere(dislikes=0),
    },
}  # fmt: skip

# What the published files hold: warnings by name, and in how many rows --------------------------------

KNOWN: dict[str, dict[str, int | None]] = {
    "music-genre": {
        "file-names-genre": 1000,
        "recording-once": 28,
        "length-half-minute": 46,
        "length-artefact": None,
        "tempo-grid": None,
    },
    "netflix": {
        "title-no-date": 4,
        "title-once": 2,
        "title-invisible": 5,
        "title-one-line": 1,
        "description-once": 59,
        "description-one-line": 1,
        "director-there": 2634,
        "cast-there": 825,
        "cast-invisible": 1,
        "country-there": 831,
        "country-commas": 7,
        "date-there": 10,
        "rating-there": 4,
        "rating-no-duration": 3,
        "duration-there": 3,
        "duration-gives-type": 2676,
        "genres-give-type": 2676,
    },
    "ramen": {
        "product-once": 10,
        "brand-spelling": 117,
        "variety-blanks": 17,
        "style-there": 2,
        "style-rare": 8,
        "country-spelling": 11,
        "stars-unrated": 3,
        "stars-quarters": 32,
        "top-ten-after": 41,
        "top-ten-blank": 4,
    },
    "skin-cancer": {
        "lesion-once": 4501,
        "follow-up-gives-naevus": 3704,
        "histology-gives-melanoma": 1113,
        "age-there": 57,
        "age-zero": 39,
        "sex-unknown": 57,
        "place-unknown": 234,
    },
    "voice-gender": {
        "kurt-spikes": 12,
        "mode-zero": 236,
        "centroid-copies-meanfreq": 3168,
        "dfrange-zero": 65,
        "modindx-zero": 65,
        "recording-once": 4,
    },
    "youtube-korea": {
        "video-once": 907,
        "category-known": 6,
        "tags-none": 168,
        "description-there": 94,
        "likes-unknown": 14,
        "comments-unknown": 10,
    },
}


@cache
def rules_of(suite: str) -> dict[str, dict[str, Any]]:
    text = (ROOT / "expectations" / f"{suite}.json").read_text(encoding="utf-8")
    return {rule["meta"]["id"]: rule for rule in json.loads(text)["expectations"]}


def outcomes(
    frame: pd.DataFrame, suite: str, *names: str
) -> dict[str, ExpectationOutcome]:
    """Return what comes of rules, all if none is named, made mild so that none refuses the table."""
    rules = rules_of(suite)
    mild = [rules[name] | {"severity": "info"} for name in names or rules]
    text = json.dumps({"expectations": mild})
    report = validate_table(frame, Suite(name=suite, text=text), make_snapshot(frame))
    return {outcome.id: outcome for outcome in report.outcomes}


def damaged(frame: pd.DataFrame, damage: Damage) -> pd.DataFrame:
    if not isinstance(damage, dict):
        return damage(frame)
    frame = frame.astype(dict.fromkeys(damage, object))
    for name, value in damage.items():
        frame.loc[0, name] = value
    return frame.infer_objects()


def read(catalogue: Any, name: str) -> pd.DataFrame:
    return read_source(make_source(catalogue / name, name)).frame


@pytest.mark.parametrize("suite", FILES)
def test_every_rule_is_tried_on_something_that_it_should_catch(suite):
    assert set(DAMAGES[suite]) == set(rules_of(suite))


@pytest.mark.slow
@pytest.mark.parametrize("suite", FILES)
def test_a_table_as_it_should_be_is_warned_of_nothing(suite):
    found = outcomes(TABLES[suite](), suite)

    fired = {name for name, outcome in found.items() if outcome.status != "met"}
    assert fired == {"rows"}  # the published tables have thousands


@pytest.mark.slow
@pytest.mark.parametrize(
    ("suite", "rule"),
    [(suite, rule) for suite, damages in DAMAGES.items() for rule in damages],
)
def test_a_rule_catches_what_it_is_for(suite, rule):
    frame = damaged(TABLES[suite](), DAMAGES[suite][rule])

    assert outcomes(frame, suite, rule)[rule].status == "failed"


@pytest.mark.slow
@pytest.mark.parametrize("suite", FILES)
def test_a_published_table_is_let_pass_and_its_quirks_are_named(suite, catalogue):
    frame = read(catalogue, FILES[suite])
    text = (ROOT / "expectations" / f"{suite}.json").read_text(encoding="utf-8")
    report = validate_table(frame, Suite(name=suite, text=text), make_snapshot(frame))

    assert {warning.id: warning.n_unexpected for warning in report.warnings} == KNOWN[
        suite
    ]


def test_the_file_cut_in_mid_record_is_refused_with_its_line(catalogue):
    name = "youtube-korea/KR_youtube_trending_data_truncated_original.csv"

    with pytest.raises(DataRefused, match=r"truncated_original\.csv, line \d+"):
        read(catalogue, name)


@pytest.mark.slow
def test_the_file_without_a_header_is_refused_by_its_columns(catalogue):
    """Its first video is read as a header: two cells of it are alike, and made to differ here."""
    path = catalogue / "youtube-korea/KR_youtube_trending_data_2024-04-22.csv"
    frame = pd.read_csv(path)

    found = outcomes(frame, "youtube-korea", "columns")
    assert found["columns"].status == "failed"
    with pytest.raises(DataRefused):
        read(catalogue, str(path.relative_to(catalogue)))


@pytest.mark.slow
def test_the_file_of_2024_with_its_header_has_no_dislikes_and_days_collected_thrice(
    catalogue,
):
    names = rules_of("youtube-korea")["columns"]["kwargs"]["column_set"]
    path = catalogue / "youtube-korea/KR_youtube_trending_data_2024-04-22.csv"
    found = outcomes(pd.read_csv(path, names=names), "youtube-korea")

    assert found["dislikes-given"].status == "failed"
    assert found["video-once-a-day"].n_unexpected == 600
    assert found["columns"].status == "met"
