"""What `make serve` starts, used in a real browser: a form, a run and its stages, the verdict."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.browser import CHROMIUM, Page, page_in_chromium
from bench.served import fill, open_form, open_verdict, run_from_form, served
from tests.flow_runs import Workplace, make

pytestmark = [
    pytest.mark.slow,
    pytest.mark.flow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium here; apt-get install chromium"
    ),
]
STAGES = ("ingest", "validate", "clean", "split", "audit", "gate", "self_test")
STAGES += ("tune repeat 1 fold 1", "tune repeat 2 fold 3", "final", "judge", "bundle")


@pytest.fixture(scope="module")
def workplace(tmp_path_factory) -> Workplace:
    return make(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("served")) as found:
        yield found


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with page_in_chromium(tmp_path / "profile") as found:
        yield found


def test_a_check_is_run_from_its_form_and_its_verdict_read(address, page, workplace):
    open_form(page, address, "digits")
    fill(page, {"study": str(workplace.study), "data": str(workplace.folder)})
    fill(page, {"artifacts": str(workplace.artifacts), "runner": "local"})
    run_from_form(page, "check small")

    assert "Completed" in page.text().split("\n")
    page.click("Task Runs")
    for stage in STAGES:
        page.shows(stage)
    open_verdict(page, "small")
    (manifest,) = workplace.artifacts.glob("runs/*/verdict.json")
    assert f'"outcome":"{outcome_on(page)}"' in manifest.read_text().replace(" ", "")
    assert page.until(PICTURES_SHOWN)


PICTURES_SHOWN = "(all => all.length > 0 && all.every(one => one.complete && one.naturalWidth > 0))([...document.querySelectorAll('main img')])"


def outcome_on(page: Page) -> str:
    """The word of the verdict, as the page of it shows it."""
    return str(page.ask("document.querySelector('main p code').innerText"))


@pytest.mark.parametrize("value", ["1.5", "-1"])
def test_a_value_out_of_its_range_is_refused_before_a_run_exists(address, page, value):
    open_form(page, address, "breast-cancer")
    fill(page, {"audit": value})
    page.click("Submit")

    assert page.until("document.querySelector('input:invalid')?.validationMessage")
    page.open(f"{address}/v2/deployments")
    page.click("breast-cancer")
    page.shows("0 Flow runs")


def test_nothing_on_the_pages_leads_to_a_seller(address, page):
    page.open(f"{address}/v2/dashboard")
    page.shows("Active Work Pools")

    assert "Upgrade" not in page.text()
