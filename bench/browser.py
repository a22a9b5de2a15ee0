"""A headless Chromium, told over its DevTools protocol what to do: click, type, wait, draw."""

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
LONGEST_S, BETWEEN_S = 300.0, 0.25  # a page may take long on a busy machine
_ANSWERS_S = 10.0  # after a click
_LARGEST = 2**26  # bytes of an answer: a picture is one
# What a person would point at: what says so and is seen, and of a form the field below a label.
_FINDING = """
  const seen = one => one.getClientRects().length > 0 && getComputedStyle(one).visibility !== "hidden";
  const said = one => (one.getAttribute("aria-label") || one.innerText || "").trim();
  const all = (selector, within = document) => [...within.querySelectorAll(selector)].filter(seen);
  const saying = (words, of, within) => all(of, within).filter(one => said(one).split("\\n").includes(words)).at(-1);
  const below = (label, found) => {
    let around = saying(label, "label");
    while (around && !found(around)) around = around.parentElement;
    return around && found(around);
  };
"""
_CLICKED = "button, a, label, [role=tab], [role=menuitem]"
_WRITTEN = "textarea, input:not([type=checkbox])"


class Page:
    """A page in the browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket, self._numbers = socket, count(1)
        for domain in ("Page", "Runtime"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """Call a method of the protocol and return what it answers; events are passed over."""
        number = next(self._numbers)
        self._socket.send(
            json.dumps({"id": number, "method": method, "params": values})
        )
        while True:
            reply = json.loads(self._socket.recv(timeout=LONGEST_S))
            if reply.get("id") == number:
                assert "error" not in reply, f"{method}: {reply['error']}"
                return cast("dict[str, Any]", reply["result"])

    def ask(self, expression: str) -> Any:
        """Return what an expression of JavaScript is on the page."""
        reply = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in reply, f"{expression}: {reply}"
        return reply["result"].get("value")

    def until(self, expression: str, longest_s: float = LONGEST_S) -> Any:
        """Wait until an expression is true on the page, whichever is open by then, and return it."""
        last = time.monotonic() + longest_s
        while not (value := self.ask(expression)):
            assert time.monotonic() < last, f"{expression} never on:\n{self.text()}"
            time.sleep(BETWEEN_S)
        return value

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def text(self) -> str:
        """Return what is written on the page."""
        return cast("str", self.ask("document.body?.innerText ?? ''"))

    def shows(self, words: str) -> None:
        """Wait until the page says some words."""
        self.until(f"document.body?.innerText?.includes({json.dumps(words)})")

    def click(
        self, words: str, below: str | None = None, longest_s: float = LONGEST_S
    ) -> None:
        """Click on what says these words, below the label of a field if one is named."""
        element = (
            f"around => saying({json.dumps(words)}, {json.dumps(_CLICKED)}, around)"
        )
        self._press(
            f"({element})()"
            if below is None
            else f"below({json.dumps(below)}, {element})",
            longest_s,
        )

    def until_clicked(self, words: str, shown: str) -> None:
        """Click until the page says some other words: a form may still be checking what was written."""
        last = time.monotonic() + LONGEST_S
        while shown not in self.text():
            assert time.monotonic() < last, f"{shown} never on:\n{self.text()}"
            if self._of(f"!!saying({json.dumps(words)}, {json.dumps(_CLICKED)})"):
                self.click(words)
            time.sleep(_ANSWERS_S)

    def write(self, label: str, text: str) -> None:
        """Type a text over what the field below a label holds."""
        element = f"around => all({json.dumps(_WRITTEN)}, around)[0]"
        self._press(field := f"below({json.dumps(label)}, {element})")
        self._of(f"{field}.select()")
        self.call("Input.insertText", text=text)

    def _of(self, element: str) -> Any:
        return self.ask(f"(() => {{ {_FINDING} return {element} }})()")

    def _press(self, element: str, longest_s: float = LONGEST_S) -> None:
        """Press and release the mouse on an element as soon as it is there, may be clicked and moves no more."""
        last, was = time.monotonic() + longest_s, None
        while was is None or was != self._middle(element):
            assert time.monotonic() < last, f"{element} never on:\n{self.text()}"
            was = self._middle(element)
            time.sleep(BETWEEN_S)
        at = {"x": was[0], "y": was[1], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, **at)

    def _middle(self, element: str) -> tuple[float, float] | None:
        """Return where in the window the middle of an element is, or None as long as it may not be clicked."""
        place = self._of(f"""(one => {{
          if (!one || one.disabled) return null;
          one.scrollIntoView({{block: "center"}});
          const {{x, y, width, height}} = one.getBoundingClientRect();
          return [x + width / 2, y + height / 2];
        }})({element})""")
        return place and (place[0], place[1])

    def picture(self) -> bytes:
        """Return the window as a PNG file."""
        return base64.b64decode(
            self.call("Page.captureScreenshot", format="png")["data"]
        )


@contextmanager
def page_in_chromium(
    profile: Path, width: int = 1280, height: int = 900
) -> Iterator[Page]:
    """Start a browser that reaches this machine alone, and yield an empty page of it."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu"]
    command += ["--remote-debugging-port=0", f"--user-data-dir={profile}"]
    command += [
        f"--window-size={width},{height}",
        "--no-first-run",
        "--hide-scrollbars",
    ]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"]
    with subprocess.Popen(
        [*command, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as browser:
        try:
            address = _address(profile, browser)
            patient = {"ping_interval": None, "open_timeout": LONGEST_S}
            with connect(address, max_size=_LARGEST, proxy=None, **patient) as socket:
                yield Page(socket)
        finally:
            browser.terminate()


def _address(profile: Path, browser: "subprocess.Popen[bytes]") -> str:
    """Return where the page can be called, as soon as the browser has written its port down."""
    port = profile / "DevToolsActivePort"
    last = time.monotonic() + LONGEST_S
    while not (port.is_file() and port.read_text().count("\n")):
        assert browser.poll() is None, f"chromium ended with {browser.poll()}"
        assert time.monotonic() < last, "chromium does not listen"
        time.sleep(BETWEEN_S)
    listed = f"http://127.0.0.1:{port.read_text().split()[0]}/json/list"
    with urllib.request.urlopen(listed) as reply:
        (page,) = (target for target in json.load(reply) if target["type"] == "page")
    return cast("str", page["webSocketDebuggerUrl"])
