"""The house as a picture: floors from faces to words, a box a package, drawn from the imports themselves.

python -m bench.architecture        writes docs/architecture.svg
"""

from html import escape
from pathlib import Path

from bench.program import ROOT
from tests.test_layers import FLOORS, _room, modules

MODULES = modules()
TARGET = ROOT / "docs" / "architecture.svg"
_WIDTH, _ROW, _BOX = 920, 62, 40


def main() -> None:
    TARGET.write_text(picture(), encoding="utf-8")


def picture() -> str:
    """Return the floors as an SVG; a box says how many modules and lines a package has."""
    rooms = {room for floor in FLOORS for room in floor}
    used = arrows(rooms)
    places: dict[str, tuple[float, float]] = {}
    boxes = []
    for number, floor in enumerate(FLOORS):
        y = 20 + _ROW * number
        step = (_WIDTH - 40) / len(floor)
        for place, room in enumerate(floor):
            x = 20 + step * (place + 0.5)
            places[room] = (x, y)
            boxes.append(box(room, x, y))
    lines = [arrow(places[upper], places[lower]) for upper, lower in sorted(used)]
    height = 20 + _ROW * len(FLOORS)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" font-family="system-ui,sans-serif" '
        f'role="img" aria-label="{len(rooms)} packages on {len(FLOORS)} floors, {len(used)} import arrows, all downwards">'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>'
        + "".join(lines)
        + "".join(boxes)
        + "</svg>\n"
    )


def arrows(rooms: set[str]) -> set[tuple[str, str]]:
    """Return which package imports which."""
    return {
        (_room(name), _room(used))
        for name, names in MODULES.items()
        for used in names
        if used != "assay"
        and used.split(".")[0] in ("assay", "flows", "tasks")
        and _room(used) in rooms
        and _room(used) != _room(name)
    }


def box(room: str, x: float, y: float) -> str:
    files = list(_files(room))
    n_lines = sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)
    size = (
        f"{len(files)} modules, {n_lines:,} lines"
        if len(files) > 1
        else f"{n_lines:,} lines"
    )
    return (
        f'<rect x="{x - 66:.0f}" y="{y}" width="132" height="{_BOX}" rx="6" fill="#f4f6f8" stroke="#59636f"/>'
        f'<text x="{x:.0f}" y="{y + 17}" text-anchor="middle" font-size="13" font-weight="600" fill="#1b2129">{escape(room)}</text>'
        f'<text x="{x:.0f}" y="{y + 32}" text-anchor="middle" font-size="10" fill="#59636f">{size}</text>'
    )


def arrow(upper: tuple[float, float], lower: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = upper, lower
    return (
        f'<path d="M{x1:.0f} {y1 + _BOX}C{x1:.0f} {y1 + _BOX + 22} {x2:.0f} {y2 - 22} {x2:.0f} {y2}" '
        f'fill="none" stroke="#9aa5b1" stroke-width=".8" stroke-opacity=".55"/>'
    )


def _files(room: str) -> list[Path]:
    folder = ROOT / room if room in ("flows", "tasks") else ROOT / "assay" / room
    return (
        sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]
    )


if __name__ == "__main__":
    main()
