"""The page in a real browser: offline, scripts off, on a phone and on a wide screen."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from assay.wording import LANGUAGES
from tests.model_factories import plan, registration, study
from tests.report.test_page import HOSTILE
from tests.report_factories import (
    SECTIONS,
    behaviour,
    case_of,
    page_for,
)

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium here; apt-get install chromium"
    ),
]
# The page lies in a frame in which no script may run; what looks at it from outside is this test's.
HARNESS = """<!doctype html><meta charset="utf-8"><body>
<iframe sandbox="allow-same-origin" src="page.html" style="width: {width}px; height: 900px; border: 0"></iframe>
<script>onload = () => {{
  const page = document.querySelector("iframe").contentDocument, root = page.documentElement;
  const of = name => page.getElementById(name)?.closest("section")?.getBoundingClientRect().height > 0;
  const found = {{over: root.scrollWidth - root.clientWidth, shown: {names}.filter(of),
    images: [...page.images].every(one => one.naturalWidth > 0), pictures: page.querySelectorAll("svg").length}};
  document.body.innerHTML = "<pre></pre>";
  document.querySelector("pre").textContent = JSON.stringify(found);
}}</script>"""


def look(folder: Path, page: str, width: int) -> dict[str, Any]:
    """What a browser shows of a page in a window of that width, offline."""
    (folder / "page.html").write_text(page, encoding="utf-8")
    harness = folder / "harness.html"
    names = json.dumps(SECTIONS)
    harness.write_text(HARNESS.format(width=width, names=names), encoding="utf-8")
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu"]
    command += [
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}",
    ]
    command += ["--allow-file-access-from-files", "--virtual-time-budget=5000"]
    command += ["--dump-dom", harness.as_uri()]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, check=True
    )
    found = re.search(r"<pre>(.*?)</pre>", done.stdout)
    assert found is not None, done.stdout[-300:]
    return cast("dict[str, Any]", json.loads(html.unescape(found[1])))


def hostile_case(text: str):
    case = case_of("dl_earns", remark=text)
    cleaned = case.evidence.cleaned.model_copy(update={"classes": ("no", text)})
    told = behaviour(column=text, of=text)
    evidence = case.evidence.model_copy(update={"cleaned": cleaned, "behaviour": told})
    return type(case)(evidence, case.labels, case.folds, case.predictions)


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_scripts_and_network_every_section_and_image_is_there(
    tmp_path, language
):
    case = image_case()
    page = page_for(case[0], case[1], language=language, features=case[2])
    seen = look(tmp_path, page, 1280)

    assert seen["shown"] == list(SECTIONS)
    assert seen["images"]
    assert seen["pictures"] == page.count("<svg") >= 6
    assert page.count("data:image/png") >= 4


def image_case():
    """Images of 8x8, called right and wrong."""
    case = case_of("dl_earns")
    cleaned = case.evidence.cleaned.model_copy(update={"image": True})
    evidence = case.evidence.model_copy(update={"cleaned": cleaned})
    declared = study(
        plan={"a": plan(clean={"image": {"height": 8, "width": 8, "channels": 1}})}
    )
    table = pd.DataFrame(np.random.default_rng(0).uniform(0, 16, size=(400, 64)))
    case = type(case)(evidence, case.labels, case.folds, case.predictions)
    return case, registration(declared), table


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("text", ["a plain text", *HOSTILE])
def test_nothing_runs_over_the_side_whatever_a_study_says(tmp_path, text, width):
    said = dict.fromkeys(("position", "company", "rationale", "question"), text)
    declared = study(**said, plan={"a": plan(claim=text)})
    page = page_for(hostile_case(text), registration(declared))

    assert look(tmp_path, page, width)["over"] == 0
