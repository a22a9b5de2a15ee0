import json
import math
import os
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import DataRefused, StudyError
from assay.store.store import Store
from assay.study.load import load
from assay.study.plans import Study
from assay.study.registration import begin, register
from assay.study.sources import identify, source_of, suite_of
from tests.conftest import ROOT
from tests.factories import make_plan, make_rule, make_study, make_suite, write_study

STUDIES = sorted((ROOT / "hypotheses").glob("*.toml"))
B = {"a": make_plan(), "b": make_plan(at_least=0.6)}


def refusal(path: Path, *overrides: str) -> str:
    with pytest.raises(StudyError) as refused:
        load(path, overrides)
    message = str(refused.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.fixture
def path(tmp_path):
    return write_study(tmp_path)


# Reading ---------------------------------------------------------------------------------------


def test_a_study_file_reads_as_what_it_says(path):
    assert load(path) == make_study()
    assert load(path).of("a").target == "answer"


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_the_studies_of_the_project_read_and_their_suites_are_there(study):
    read = load(study)

    assert read.name == study.stem
    for name in read.plans():
        assert suite_of(read.of(name), study.parent).text


def test_a_study_is_found_in_the_project_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    assert load(Path("hypotheses/digits.toml")).name == "digits"


def test_a_study_of_the_project_comes_before_a_shipped_one(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    name = Path("hypotheses/digits.toml")

    assert load(name).question == load(ROOT / name).question
    (tmp_path / "hypotheses").mkdir()
    write_study(tmp_path / "hypotheses", "digits.toml", question="Mine?")
    assert load(name).question == "Mine?"


def test_a_suite_of_the_project_comes_before_a_shipped_one(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    plan = make_study(plan={"a": make_plan(suite="digits")}).of("a")

    assert suite_of(plan, tmp_path).text == (
        (ROOT / "expectations" / "digits.json").read_text(encoding="utf-8")
    )
    (tmp_path / "expectations").mkdir()
    (tmp_path / "expectations" / "digits.json").write_text("{}")
    assert suite_of(plan, tmp_path).text == "{}"


def test_a_byte_order_mark_is_passed_over(path):
    path.write_text(path.read_text(), encoding="utf-8-sig")

    assert load(path) == make_study()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a = = 3", "is not valid TOML"),
        (b"seed = " + b"9" * 5000, "is not valid TOML"),
        (b"seed = " + b"[" * 5000, "is not valid TOML"),
        (b"a = 1\na = 2", "is not valid TOML"),
        ("a = '가'".encode("cp949"), "cannot be read"),
        (b"", "position is missing. (5 more after this one.)"),
        (b"overrides = []", "overrides is not a key of a study file; use --set"),
    ],
)
def test_a_file_that_is_no_study_is_refused(tmp_path, content, said):
    path = tmp_path / "table.toml"
    path.write_bytes(content)

    assert said in refusal(path)


@pytest.mark.parametrize(
    "key",
    ["a" + ".a" * 100_000 + " = 1", "x = {a" + " . 'a'" * 50_000 + " = 1}"],
    ids=["bare", "quoted"],
)
def test_a_key_that_would_take_memory_by_the_square_of_its_parts_is_refused(path, key):
    """100 kB of it took 50 seconds and 10 GB."""
    path.write_text(key)

    assert "has more than 64 parts" in refusal(path)


def test_a_number_or_a_file_beyond_all_measure_is_refused(path):
    text = path.read_text()
    path.write_text(
        re.sub("^seed = .*$", f"seed = 0x{'f' * 20_000}", text, flags=re.MULTILINE)
    )
    assert "seed = ..., but it must be less than" in refusal(path)
    path.write_text("#" * (1024**2 + 1))
    assert "is larger than a study file" in refusal(path)


def test_a_study_that_is_not_there_or_is_a_folder_is_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "gone.toml")
    assert "cannot be read" in refusal(tmp_path)
    with pytest.raises(StudyError, match="cannot be read"):
        load(Path("x" * 300 + ".toml"))


@given(
    st.binary(max_size=80)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_a_study_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(content)

    with pytest.raises(StudyError):
        load(path)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("positon=1", "table.toml: unknown key 'positon'. Did you mean 'position'?"),
        ("plan.a.split.fold=3", "[plan.a.split]: unknown key 'fold'. Did you mean 'folds'?"),
        ("plan.a.splits.folds=3", "[plan.a]: unknown key 'splits'. Did you mean 'split'?"),
        ("x" * 5000 + "=1", "unknown key 'xxxxxxx"),
        ("plan.c.claim=x", "[plan]: unknown key 'c'. Keys here: a, b."),
        ("plan.a.target={column='x',at_lest=3}", "[plan.a.target]: unknown key 'at_lest'. Did you mean 'at_least'?"),
        ("plan.a.clean.drop=[{colum='x',reason='y'}]", "[plan.a.clean.drop.0]: unknown key 'colum'"),
        ("plan.a.clean.drop=[{column='x'}]", "[plan.a.clean.drop.0]: reason is missing."),
        ("plan.a.clean.text='title'", "[plan.a.clean]: text = "),
        ("plan.a.clean.text=['t','t']", "[plan.a.clean]: text names 't' twice."),
        ("plan.a.clean={text=['t'],drop=[{column='t',reason='y'}]}", "text and drop both name 't': keep one."),
        ("plan.a.clean.text=['answer']", "[plan.a]: clean.text names 'answer', but it is the target."),
        ("plan.a.clean.text_components=0", "text_components = 0, but it must be at least 1."),
        ("plan.a.clean.text_components=257", "text_components = 257, but it must be at most 256."),
        ("plan.b.claim=x", "[plan.b]: source is missing."),
        ("plan.a.tune.epochs=1000000000", "epochs = 1000000000, but it must be at most 100000."),
        ("plan.a.tune.net.width=[1000000]", "= 1000000, but it must be at most 8192."),
        ("plan.a.gate.steps=1e9", "steps = 1000000000.0, but it must be at most 100000."),
        ('plan.a.clean.text=["\\u001b[2J"]', "a text holds the control character U+001B"),
        ("plan.a.split.folds=1", "[plan.a.split]: folds = 1, but it must be at least 2."),
        ("plan.a.split.folds=2.5", "folds = 2.5, but it must be a whole number"),
        ("plan.a.split.folds=many", 'folds = "many", but it must be a whole number'),
        ("seed=" + "9" * 5000, "seed = "),
        ("seed=-1", "table.toml: seed = -1, but it must be at least 0."),
        ("alpha=nan", "alpha = NaN, but it must be a finite number."),
        ("alpha=0", "alpha = 0, but it must be greater than 0."),
        ("plan.a.at_least=1", "[plan.a]: at_least = 1, but it must be less than 1."),
        ("plan.a.claim=' '", "claim = \" \", but it must match"),
        ("plan.a.metric=f1", "metric = \"f1\", but it must be 'auc', 'accuracy', 'log_loss', "),
        ("plan.a.metric=r2", "metric = 'r2', but a binary target takes auc, accuracy, log_loss, brier."),
        ("plan.a.metric=brier", "'brier' is a loss: state the claim as at_most, and leave at_least out."),
        ("plan.a.at_most=0.2", "'auc' is a score: state the claim as at_least, and leave at_most out."),
        ("plan.a.margin=0.5", "margin = 0.5, but auc takes less than 0.5."),
        ("plan.a.smallest_effect=0.5", "smallest_effect = 0.5, but an AUC above chance is greater than 0.5."),
        ("plan.a.unit=answer", "unit = 'answer' is the target's own column."),
        ("plan.a.split.time=backward", "time = \"backward\", but it must be 'forward' or 'blocks'."),
        ("plan.a.target=3", "[plan.a]: target = 3, but it must be a text."),
        ("plan.a.target={column='x'}", "[plan.a.target]: give one of at_least, above_quantile, one_of and mapping."),
        ("plan.a.target={column='x',one_of=[]}", "[plan.a.target]: one_of = []"),
        ("plan.a.target={column='x',at_least=1,positive='no'}", "both 'no'"),
        ("plan.a.tune.seeds=65", "[plan.a.tune]: seeds = 65, but it must be at most 64."),
        ("plan.a.tune.folds_per_trial=6", "tune.folds_per_trial = 6, but there are 5 folds."),
        ("plan.a.clean.image={height=7,width=8,channels=1}", "height = 7, but it must be at least 8."),
        ("plan.a.clean.image={height=8,width=65,channels=1}", "width = 65, but it must be at most 64."),
        ("plan.a.clean.image={height=8,width=8,channels=2}", "channels = 2, but it must be 1 or 3."),
        ("plan.a.clean.image={height=8,width=9,channels=1,augment=['rotate']}", "a quarter turn of an image of 8 x 9"),
        ("plan.a.tune.image.filters=[6]", "[plan.a.tune.image.filters]: 0 = 6, but it must be a multiple of 4."),
        ("plan.a.tune.net.width=[]", "[plan.a.tune.net]: width = []"),
        ("plan.a.tune.net.dropout=[1.0]", "[plan.a.tune.net.dropout]: 0 = 1.0, but it must be less than 1"),
        ("plan.a.tune.net.learning_rate=[0.1,0.01]", "[0.1, 0.01] must go up"),
        ("plan.a.tune.net.learning_rate=[0.1]", "[plan.a.tune.net.learning_rate]: value 2 is missing."),
        ("plan.a.tune.boosting.l2=[0,1]", "[plan.a.tune.boosting.l2]: 0 = 0, but it must be greater than 0."),
        ("plan.a.source='x\\u0000.csv'", "no message"),
        (f"plan.a.suite={'가' * 90}", "names a file or folder by more than 255 bytes"),
        ("name=My Study", 'name = "My Study", but it must match'),
        ("name=../up", 'name = "../up", but it must match'),
        ("plan.a.claim.x=3", "--set plan.a.claim.x: claim is a value, not a table."),
        ("plan.a.read.separator=':'", "separator = \":\", but it must be"),
        ("plan.a.read.encoding=utf-9", "encoding = \"utf-9\", but it must be 'utf-8', 'utf-16'"),
        ("plan.a.read.sample=0", "sample = 0, but it must be at least 1."),
        ("plan.a.read.names=['a','A']", "[plan.a.read]: names has 'a' twice, or differing only in case."),
        ("plan.a.read.nmes=['a']", "[plan.a.read]: unknown key 'nmes'. Did you mean 'names'?"),
        ("plan.a.images={source='x.tar'}", "[plan.a.images]: column is missing."),
        ("plan.a.images={source='x',column='i',height=65,width=8,channels=1}", "height = 65, but it must be at most"),
        ("overrides=['x']", "overrides is not a key of a study file"),
        ("nothing", "--set nothing: write KEY=VALUE"),
        ("=3", "--set =3: write KEY=VALUE"),
        ("a b=3", "--set a b=3: write KEY=VALUE"),
        ("a..b=3", "unknown key 'a'"),
    ],
)  # fmt: skip
def test_what_no_study_can_say_is_refused_with_table_key_value_and_bound(
    path, override, said
):
    if said == "no message":
        override, said = 'plan.a.source="x\\u0000.csv"', 'source = "x\\u0000.csv", but'
    assert said in refusal(path, override)


@given(
    st.sampled_from(
        [
            "seed",
            "alpha",
            "plan",
            "plan.a",
            "plan.a.target",
            "plan.a.tune.net",
            "plan.a.clean.drop",
        ]
    ),
    st.text(st.characters(codec="utf-8"), max_size=30)
    | st.sampled_from(
        ["[[[", "{}", "[]", "{a=1}", "[{}]", "1e999", "nan", "0x1", "1979-05-27", "''"]
    ),
)
def test_any_override_makes_a_study_or_is_refused(tmp_path_factory, key, value):
    path = tmp_path_factory.getbasetemp() / "table.toml"
    if not path.exists():
        write_study(path.parent)
    try:
        study = load(path, (f"{key}={value}",))
    except StudyError:
        return
    assert study.overrides == (f"{key}={value}",)


def test_the_defaults_of_a_plan_are_those_of_its_task(path):
    classes, number = load(path), load(path, ("plan.a.task=regression",))

    assert (classes.of("a").metric, classes.of("a").smallest_effect) == ("auc", 0.6)
    assert (number.of("a").metric, number.of("a").smallest_effect) == ("r2", 0.2)


def test_a_loss_in_the_targets_units_needs_a_margin_in_them(tmp_path):
    def written(**changes):
        plan = make_plan(task="regression", metric="absolute_error", at_most=3.5)
        del plan["at_least"]
        return write_study(tmp_path, plan={"a": plan | changes})

    assert "declare margin in these units too" in refusal(written(), "seed=1")
    assert load(written(margin=2.5)).of("a").margin == 2.5


def test_units_that_run_through_time_are_refused(path):
    message = refusal(path, "plan.a.unit=who", "plan.a.order=day")

    assert "unit and order cannot both be declared" in message


@pytest.mark.parametrize("key", ["unit", "order"])
def test_a_text_that_no_model_is_shown_is_refused(path, key):
    message = refusal(path, f"plan.a.{key}=title", "plan.a.clean.text=['title']")

    assert (
        f"clean.text names 'title', but as {key} it is hidden from every model."
        in message
    )


@pytest.mark.parametrize(
    ("written", "said"), [("%d.%m.%Y %Z", "format has %Z"), ("%c", "format has %c")]
)
def test_a_format_of_dates_that_prediction_could_not_follow_is_refused(
    tmp_path, written, said
):
    """What depends on a machine's language or zones is said when the study is read."""
    dates = [{"column": "when", "format": written}]
    path = write_study(tmp_path, plan={"a": make_plan(clean={"dates": dates})})

    assert said in refusal(path)


def test_overrides_are_applied_and_recorded(path):
    overrides = (
        "plan.a.tune.trials=4",
        "plan.a.claim=It is so",
        "plan.a.split.repeats=2",
    )
    study = load(path, overrides)

    assert study.of("a").tune.trials == 4
    assert study.of("a").claim == "It is so"
    assert study.of("a").split.repeats == 2
    assert study.overrides == overrides
    assert study.essence_digest() != load(path).essence_digest()


def test_a_file_read_instead_of_the_source_is_recorded(path, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text("a\n1\n")

    assert load(path, (), other).overrides == ("data=other.csv",)
    assert load(path, (), tmp_path).overrides == ()


@pytest.mark.parametrize("study", STUDIES, ids=lambda path: path.stem)
def test_a_study_comes_back_equal_from_its_json(study):
    read = load(study)

    assert Study.model_validate_json(read.model_dump_json()) == read
    assert tomllib.loads(study.read_text())["question"] == read.question


# Spending alpha and seeds ------------------------------------------------------------------------


def test_two_plans_split_alpha_seven_to_three():
    both = make_study(plan=B)

    assert both.alpha_of("a") == pytest.approx(0.035)
    assert both.alpha_of("b") == pytest.approx(0.015)
    assert make_study().alpha_of("a") == 0.05


@given(st.floats(0.01, 0.2))
def test_two_plans_never_spend_more_than_alpha(alpha):
    both = make_study(plan=B, alpha=alpha)
    spent = both.alpha_of("a") + both.alpha_of("b")

    assert spent <= math.nextafter(alpha, 1)


def test_plans_are_tried_in_order_and_draw_from_seeds_of_their_own():
    both = make_study(plan=B)

    assert both.plans() == ("a", "b")
    assert make_study().plans() == ("a",)
    assert both.seed_of("a") != both.seed_of("b")
    assert both.seed_of("a") == make_study().seed_of("a")
    with pytest.raises(StudyError, match="no plan b"):
        make_study().of("b")


def test_an_alternative_replaces_keys_of_clean_and_nothing_else(path):
    clean = {"scale": "standard", "clip": 0.01}
    other = {"name": "by ranks", "clean": {"scale": "quantile"}}
    study = make_study(plan={"a": make_plan(clean=clean, alternatives=[other])})
    changed = study.under("a", study.of("a").alternatives[0])

    assert changed.of("a").clean.scale == "quantile"
    assert changed.of("a").clean.clip == 0.01
    assert changed.of("a").tune == study.of("a").tune
    assert changed.seed_of("a") == study.seed_of("a")


@pytest.mark.parametrize(
    ("alternatives", "said"),
    [
        (
            [{"name": "x", "clean": {"scale": "huge"}}],
            "alternative 'x', clean.scale: must be 'robust', ",
        ),
        (
            [{"name": "x", "clean": {"sclae": "none"}}],
            "alternative 'x', clean.sclae: is not a key here",
        ),
        (
            [{"name": "x", "clean": {"text": ["answer"]}}],
            "clean.text names 'answer', but it is the target",
        ),
        (
            [{"name": "x", "clean": {"clip": 0.1}}] * 2,
            "two alternatives have the same name",
        ),
        ([{"name": "x", "clean": {}}], "at least 1 item"),
        ([{"name": "x", "clean": {"scale": "robust"}}], "'x' changes nothing"),
        ([{"name": "x", "clean": {"numbers": ["answer"]}}], "and so another question"),
    ],
)
def test_an_alternative_that_can_be_no_plan_is_refused(alternatives, said):
    with pytest.raises(ValueError, match=said):
        make_study(plan={"a": make_plan(alternatives=alternatives)})


def test_a_multiverse_needs_an_alternative_and_is_a_run_of_its_own(path, tmp_path):
    (tmp_path / "table.csv").write_text("answer\n1\n")
    (tmp_path / "table.json").write_text(make_suite().text)
    with pytest.raises(StudyError, match="declares no alternative"):
        identify(load(path), path, tmp_path, multiverse=True)
    other = [{"name": "x", "clean": {"clip": 0.1}}]
    with_one = make_study(plan={"a": make_plan(alternatives=other)})
    names = {
        identify(with_one, path, tmp_path, multiverse=asked).name
        for asked in (True, False)
    }
    assert len(names) == 2


# Finding ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source", ["../secret.csv", "a/../../secret.csv", "/etc/passwd"]
)
def test_a_source_outside_the_data_folder_is_refused(tmp_path, source):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (tmp_path / "data").mkdir()
    plan = make_study(plan={"a": make_plan(source=source)}).of("a")

    with pytest.raises(StudyError, match="leads out of the data folder"):
        source_of(plan, tmp_path / "data")


def test_a_link_out_of_the_data_folder_is_refused(tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "table.csv").symlink_to(tmp_path / "secret.csv")

    with pytest.raises(StudyError, match="leads out of the data folder"):
        source_of(make_study().of("a"), tmp_path / "data")


@pytest.mark.parametrize(
    "source",
    ["https://example.org/table.csv", "s3://bucket/table.csv", "file:///etc/passwd"],
)
def test_an_address_is_refused_with_what_to_do(tmp_path, source):
    plan = make_study(plan={"a": make_plan(source=source)}).of("a")

    with pytest.raises(StudyError, match=r"is an address\. Download the file"):
        source_of(plan, tmp_path)
    with pytest.raises(StudyError, match=r"is an address\. Download the file"):
        source_of(make_study().of("a"), Path(source))


def test_a_source_that_is_no_regular_file_is_refused(tmp_path):
    """A pipe would be waited on for ever."""
    os.mkfifo(tmp_path / "table.csv")

    with pytest.raises(
        DataRefused, match=r"table\.csv cannot be read: it is not a regular"
    ):
        source_of(make_study().of("a"), tmp_path)


def test_a_link_to_itself_is_refused(tmp_path):
    (tmp_path / "table.csv").symlink_to(tmp_path / "table.csv")

    with pytest.raises((StudyError, DataRefused), match=r"table\.csv"):
        source_of(make_study().of("a"), tmp_path)


def test_only_a_sample_has_a_seed(tmp_path):
    """So that another seed of the study does not read the table again."""
    (tmp_path / "table.csv").write_bytes(b"abc")
    plan = make_study(plan={"a": make_plan(read={"sample": 2})}).of("a")

    assert source_of(make_study().of("a"), tmp_path, seed=7).seed == 0
    assert source_of(plan, tmp_path, seed=7).seed == 7


def test_a_source_is_looked_up_under_assay_data(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_DATA", str(tmp_path))
    (tmp_path / "table.csv").write_bytes(b"abc")
    source = source_of(make_study().of("a"))

    assert source.path == str(tmp_path / "table.csv")
    assert source.digest.startswith("ba7816bf")


def test_where_a_source_lies_is_no_part_of_its_essence(tmp_path):
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "table.csv").write_bytes(b"abc")
    first, other = (
        source_of(make_study().of("a"), tmp_path / name) for name in ("one", "other")
    )

    assert first.path != other.path
    assert first.essence_digest() == other.essence_digest()


def test_a_source_that_is_not_there_is_refused_with_the_next_step(tmp_path):
    with pytest.raises(DataRefused, match=r"table\.csv does not exist\. .* ASSAY_DATA"):
        source_of(make_study().of("a"), tmp_path)
    (tmp_path / "table.csv").mkdir()
    with pytest.raises(DataRefused, match="is a folder"):
        source_of(make_study().of("a"), tmp_path)


def test_an_unknown_built_in_source_is_refused_with_the_known_ones():
    plan = make_study(plan={"a": make_plan(source="builtin:iris")}).of("a")

    with pytest.raises(StudyError, match="breast-cancer, digits"):
        source_of(plan)


def test_a_suite_is_looked_up_beside_the_study_or_in_the_project(tmp_path):
    (tmp_path / "table.json").write_text("{}")

    assert suite_of(make_study().of("a"), tmp_path).text == "{}"
    for suite in ("none.json", "none"):
        plan = make_study(plan={"a": make_plan(suite=suite)}).of("a")
        with pytest.raises(
            StudyError, match=re.escape(f"suite = '{suite}', but there is no file")
        ):
            suite_of(plan, tmp_path)
    (tmp_path / "table.json").write_bytes(b"\xff")
    with pytest.raises(StudyError, match="cannot be read"):
        suite_of(make_study().of("a"), tmp_path)


@pytest.mark.parametrize(
    "name",
    ["../outside.json", "link.json", "sub/../../outside.json", "../outside", "x/../../../outside"],
)  # fmt: skip
def test_a_suite_outside_its_folder_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    beside = tmp_path / "studies"
    for folder in (beside / "sub", tmp_path / "home" / "expectations"):
        folder.mkdir(parents=True)
    (tmp_path / "outside.json").write_text("{}")
    (tmp_path / "home" / "outside.json").write_text("{}")
    (beside / "link.json").symlink_to(tmp_path / "outside.json")
    plan = make_study(plan={"a": make_plan(suite=name)}).of("a")

    with pytest.raises(StudyError, match="leads out of"):
        suite_of(plan, beside)
    plan = make_study(plan={"a": make_plan(suite=f"{tmp_path}/outside.json")}).of("a")
    with pytest.raises(StudyError, match="leads out of"):
        suite_of(plan, beside)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_a_suite_that_is_no_regular_file_or_too_large_is_refused(tmp_path):
    plan = make_study().of("a")
    os.mkfifo(tmp_path / "table.json")
    with pytest.raises(StudyError, match="it is not a regular file"):
        suite_of(plan, tmp_path)
    (tmp_path / "table.json").unlink()
    with (tmp_path / "table.json").open("wb") as file:
        file.truncate(16 * 1024**2 + 1)
    with pytest.raises(StudyError, match="are the most"):
        suite_of(plan, tmp_path)


# Registering -----------------------------------------------------------------------------------


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_the_first_registration_and_the_same_again_deviate_from_nothing(store):
    first, deviations = register(store, make_study())

    assert deviations == ()
    assert register(store, make_study()) == (first, ())
    assert len(list(store.folder.glob("registrations/table/*.json"))) == 1


def test_a_changed_study_says_in_words_what_changed(store):
    first, _ = register(store, make_study())
    changed = make_study(alpha=0.1, plan={"a": make_plan(at_least=0.6)})
    second, (deviation,) = register(store, changed)

    assert (first.order, second.order) == (0, 1)
    assert str(deviation) == (
        f"differs from registration {first.digest[:12]} of the same name, which was never scored, in "
        "alpha (0.05 -> 0.1), plan.a.at_least (0.7 -> 0.6)"
    )


def test_the_same_study_under_a_version_that_knew_fewer_keys_is_no_deviation(store):
    study = make_study()
    older = study.model_dump(mode="json")
    del older["plan"]["a"]["clean"]["label_noise"]
    record = {"study": older, "digest": "0" * 64, "order": 0}
    folder = store.folder / "registrations" / study.name
    store.files.write_checked(folder / f"{'0' * 64}.json", json.dumps(record).encode())

    registration, deviations = register(store, study)
    assert registration.order == 1
    assert deviations == ()
    assert len(register(store, make_study(alpha=0.1))[1]) == 2


def test_a_deviation_says_whether_the_earlier_scores_could_be_seen(store):
    first, _ = register(store, make_study())
    begin(store, first)

    assert "whose scores could be seen" in str(
        register(store, make_study(alpha=0.1))[1][0]
    )


def test_the_first_registration_never_deviates_whatever_came_after_it(store):
    register(store, make_study())
    register(store, make_study(alpha=0.1))

    assert register(store, make_study())[1] == ()
    assert len(register(store, make_study(alpha=0.01))[1]) == 2


def test_studies_of_other_names_are_other_registrations(store):
    register(store, make_study())

    assert register(store, make_study(name="another", alpha=0.1))[1] == ()


def test_a_damaged_registration_cannot_testify(store):
    first, _ = register(store, make_study())
    path = store.folder / "registrations" / "table" / f"{first.digest}.json"
    path.write_bytes(path.read_bytes().replace(b"0.05", b"0.15"))

    assert register(store, make_study(alpha=0.1))[1] == ()


# Identity --------------------------------------------------------------------------------------


def test_the_name_of_a_run_follows_study_data_and_suite(path, tmp_path):
    """And nothing else: not the folder they lie in."""
    table, suite = tmp_path / "table.csv", tmp_path / "table.json"

    def name(study: Study | None = None) -> str:
        return identify(study or load(path), path, tmp_path).name

    table.write_text("a\n1\n")
    suite.write_text(
        make_suite(make_rule("expect_column_to_exist", "a", column="a")).text
    )
    first = name()

    assert re.fullmatch(r"table-[0-9a-f]{12}", first)
    assert name() == first
    assert name(load(path, ("alpha=0.1",))) != first
    table.write_text("a\n2\n")
    second = name()
    assert second != first
    suite.write_text("{}")
    assert name() not in (first, second)
