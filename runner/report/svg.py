"""What every plot is made of: one `<svg>` element with its figures in words, lines, dots, colours and coordinates.

`plots` and the plots of single reports draw with these, so that they look alike. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

INK = ("#5b7ea6", "#c4682f", "#7a8b3c", "#9a6bb5", "#5d8f88", "#a85c6e", "#8c7a52", "#6f7480")
"""Series in order; each has a contrast of at least 3 to #ffffff and to #15181b."""
MARK = "#85888e"


def element(title: str, told: str, width: int, height: int, body: str) -> str:
    """Return the plot: its name, its figures in words, its size, and what is drawn."""
    return (
        f'<svg class="plot" role="img" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">'
        f"<title>{escape(title)}</title><desc>{escape(told)}</desc>{body}</svg>"
    )


def scale(low: float, high: float, begin: float, end: float) -> Callable[[float], float]:
    """Return the map of [low, high] to [begin, end]; outside values go to the nearer end."""
    size = high - low if high > low else 1.0

    def place(value: float) -> float:
        return begin + min(max((value - low) / size, 0.0), 1.0) * (end - begin)

    return place


def rule(begin: float, end: float, y: float) -> str:
    """Return a faint level line."""
    return f'<path d="M{n(begin)} {n(y)}H{n(end)}" stroke="currentColor" stroke-opacity=".18"/>'


def dot(x: float, y: float, radius: str, colour: str) -> str:
    """Return a filled circle."""
    return f'<circle cx="{n(x)}" cy="{n(y)}" r="{radius}" fill="{colour}"/>'


def ink(series: int) -> str:
    """Return the colour of a series, counted from 0."""
    return INK[series % len(INK)]


def n(value: float, digits: int = 1) -> str:
    """Return a coordinate without digits that nobody sees."""
    return f"{value:.{digits}f}".rstrip("0").rstrip(".") or "0"
