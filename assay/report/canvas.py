"""Pictures as SVG that stand in the page: its colours, its letters, equal bytes for equal figures.

Matplotlib draws them in colours that stand for names, which become variables of the page's style:
light, dark and print are then its business. A picture is a few hundred wide in its own units, for a phone, and scales.
"""

import io
import itertools
import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

WIDTH, NARROW = 360.0, 280.0  # a picture alone, and one of two side by side
_DPI = 72.0  # of an SVG: a point is a unit
INK, SOFT, LINE, PAGE = "#010101", "#020202", "#030303", "#040404"
COVER: Any = {"facecolor": PAGE, "edgecolor": "none", "pad": 1.0}  # under letters
# Okabe and Ito's colours, told apart by everybody; dark pages have lighter ones of the same names.
BLUE, VERMILION, GREEN, PINK, SKY, AMBER = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#e69f00",
)
_NAMES = {
    INK: "ink",
    SOFT: "soft",
    LINE: "line",
    PAGE: "page",
    BLUE: "blue",
    VERMILION: "vermilion",
    GREEN: "green",
    PINK: "pink",
    SKY: "sky",
    AMBER: "amber",
}
_STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib: places of letters are the same everywhere
    "font.size": 10.0,
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.formatter.useoffset": False,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "path.simplify": True,
}


class Picture(NamedTuple):
    """A picture, what it shows in words, and the figures in it as a table."""

    svg: Markup
    caption: Markup
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Canvas:
    """A figure that becomes an SVG with ids of its own."""

    def __init__(self, name: str, height: float, width: float = WIDTH) -> None:
        self._name, self._width, self._height = name, width, height
        self._figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
        FigureCanvasSVG(self._figure)
        self.axes: Axes = self._figure.add_subplot()

    def margins(
        self, left: float = 40, right: float = 12, top: float = 10, bottom: float = 34
    ) -> None:
        """Leave so many units free round the axes."""
        self._figure.subplots_adjust(
            left=left / self._width,
            right=1 - right / self._width,
            top=1 - top / self._height,
            bottom=bottom / self._height,
        )

    def along(self, label: str) -> None:
        """Leave the axis across alone, with its label: heights mean nothing here."""
        self.axes.set_xlabel(label)
        self.axes.xaxis.set_major_locator(MaxNLocator(5))
        self.axes.yaxis.set_visible(False)
        self.axes.spines["left"].set_visible(False)

    def heights(self, axis: Literal["y", "both"] = "y") -> None:
        """Show heights by thin lines instead of an axis."""
        self.axes.yaxis.set_major_locator(MaxNLocator(5))
        self.axes.grid(axis=axis, color=LINE, lw=0.5)
        self.axes.spines["left"].set_visible(False)

    def note(
        self,
        text: str,
        at: tuple[float, float],
        *,
        shift: float,
        colour: str,
        bold: bool = False,
        **more: Any,
    ) -> None:
        """Write beside a place, so many units to the right of it, or to the left where negative.

        What lies under the letters is covered.
        """
        self.axes.annotate(
            text,
            at,
            (shift, 0),
            textcoords="offset points",
            color=colour,
            fontweight="bold" if bold else "normal",
            **{"ha": "left" if shift > 0 else "right", "va": "top", "bbox": COVER}
            | more,
        )

    def title(self, text: str) -> None:
        """Say above the axis upwards what it counts."""
        self.axes.set_title(text, loc="left", x=0, pad=8, fontsize=9.5, color=SOFT)

    def svg(self, alt: str) -> Markup:
        """Return the picture, described by ``alt``."""
        buffer = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": self._name}):
            self._figure.savefig(
                buffer, format="svg", metadata={"Date": None, "Creator": None}
            )
        return _embedded(buffer.getvalue(), self._name, alt)


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the page's style inside the block, whatever style is set outside."""
    with warnings.catch_warnings(), mpl.rc_context():
        # The page's own letters are shown; those missing here only shift nothing.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        yield


def short(text: str, most: int = 22) -> str:
    """Return a text on one line, cut where it is too long for a label; letters of East Asia count twice.

    Examples
    --------
    >>> short("a name\\nin two lines", 12), short("미국", 4), short("대한민국", 6)
    ('a name in t…', '미국', '대한…')
    """
    line = " ".join(text.split())
    ends = list(itertools.accumulate(map(_places, line)))
    if not ends or ends[-1] <= most:
        return line
    return line[: sum(end < most for end in ends)] + "…"


def _places(letter: str) -> int:
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def apart(heights: list[float], least: float) -> list[float]:
    """Return heights of labels moved apart until none is nearer to another than ``least``.

    Examples
    --------
    >>> apart([1.0, 1.0, 5.0], 2.0)
    [0.0, 2.0, 5.0]
    """
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    placed = [heights[i] for i in order]
    for _ in range(200):
        moved = False
        for i in range(len(placed) - 1):
            gap = placed[i + 1] - placed[i]
            if gap < least - 1e-9:
                middle = (placed[i] + placed[i + 1]) / 2
                placed[i], placed[i + 1] = middle - least / 2, middle + least / 2
                moved = True
        if not moved:
            break
    spread = [0.0] * len(heights)
    for place, i in enumerate(order):
        spread[i] = placed[place]
    return spread


def _without_idle_groups(text: str) -> str:
    """Return SVG without the groups that say nothing of what is in them.

    Examples
    --------
    >>> _without_idle_groups('<g><g clip-path="url(#a)"><path/></g></g><g/>')
    '<g clip-path="url(#a)"><path/></g>'
    """
    idle: list[bool] = []

    def kept(tag: re.Match[str]) -> str:
        if tag[0] == "<g/>":
            return ""
        if tag[0] == "</g>":
            return "" if idle.pop() else tag[0]
        idle.append(tag[0] == "<g>")
        return "" if idle[-1] else tag[0]

    return re.sub(r"</g>|<g(?=[\s/>])[^>]*>", kept, text)


def _rounded(tag: str) -> str:
    """Return a tag with coordinates to a tenth of a unit; what is written between tags is nobody's coordinate."""
    return re.sub(r"(\d+\.\d)\d+", r"\1", tag)


def _embedded(text: str, name: str, alt: str) -> Markup:
    """Return what stands in an SVG file as part of a page: no head, no styles, no ids but its own."""
    inside = re.sub(r"\A.*?<svg[^>]*>|</svg>\s*\Z", "", text, flags=re.DOTALL)
    inside = re.sub(r"<metadata>.*?</metadata>", "", inside, flags=re.DOTALL)
    inside = re.sub(
        r"<defs>\s*<style.*?</style>\s*</defs>", "", inside, flags=re.DOTALL
    )
    box = re.search(r'viewBox="([^"]+)"', text)
    if box is None:
        raise ValueError(f"the picture {name} has no size")
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', inside))

    def own_id(match: re.Match[str]) -> str:
        return f' id="{name}-{match[1]}"' if match[1] in used else ""

    inside = re.sub(r' id="([^"]*)"', own_id, inside)
    inside = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", inside)
    inside = inside.replace("xlink:href", "href")
    inside = re.sub(r"font-family: [^;\"]*;? ?", "", inside)
    inside = re.sub(r' transform="rotate\(-?0 [^)]*\)"', "", inside)
    inside = re.sub(r"<[^>]*>", lambda tag: _rounded(tag[0]), inside)
    for colour, variable in _NAMES.items():
        inside = inside.replace(colour, f"var(--{variable})")
    inside = re.sub(r">\s+<", "><", re.sub(r"\s*\n\s*", " ", inside))
    inside = _without_idle_groups(inside)
    return Markup(
        f'<svg class="chart" viewBox="{box[1]}" role="img" aria-label="{escape(alt)}">{inside.strip()}</svg>'
    )
