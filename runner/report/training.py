"""What is shown of a run of training: its curves as one picture, its progress, and a summary for a terminal.

Reads what the trainer logged and the manifest of a version (`training.json`); decides nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from runner import digest
from runner.report import figures, plots, svg

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """One plot of the picture: its title, and the logged keys that it draws with their names."""

    title: str
    keys: tuple[tuple[str, str], ...]


PANELS: Final = (
    Panel("loss", (("loss", ""),)),
    Panel("rewards", (("rewards/chosen", "chosen"), ("rewards/rejected", "rejected"))),
    Panel("pairs told apart", (("rewards/accuracies", ""),)),
    Panel("margin of rewards", (("rewards/margins", ""),)),
    Panel("log-probability of answers, nats", (("logps/chosen", "chosen"), ("logps/rejected", "rejected"))),
    Panel("divergence from the reference", (("kl", ""),)),
    Panel("length of answers over the parent's", (("length_ratio", ""),)),
    Panel("learning rate", (("learning_rate", ""),)),
)
_WIDTH, _HEIGHT, _HEAD = 400, 186, 24
_STYLE = f"svg{{color:{svg.MARK}}}text{{font-size:12px;fill:currentColor}}.head{{font-weight:600}}"


def curves(history: Sequence[Values], title: str) -> str:
    """Return the curves of a run as one SVG picture; what was not logged has no plot."""
    drawn = [panel for panel in PANELS if any(key in entry for key, _ in panel.keys for entry in history)]
    body = "".join(_panel(panel, history, number) for number, panel in enumerate(drawn))
    rows = (len(drawn) + 1) // 2
    width, height = 2 * _WIDTH + 40, max(rows, 1) * (_HEIGHT + _HEAD + 16)
    # Text and axes take the colour around them; in a picture of its own that is this grey, which any page can show.
    style = f"<style>{_STYLE}</style>"
    return (
        f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}" font-family="sans-serif" '
        f'xmlns="http://www.w3.org/2000/svg"><title>training of {title}</title>{style}{body}</svg>\n'
    )


def _panel(panel: Panel, history: Sequence[Values], number: int) -> str:
    left, top = (number % 2) * (_WIDTH + 40), (number // 2) * (_HEIGHT + _HEAD + 16)
    tracks = [plots.Track(name, _dots(history, key), series=i) for i, (key, name) in enumerate(panel.keys)]
    plot = plots.lines(tracks, panel.title, plots.Axis(), lambda step: f"step {step:.0f}")
    placed = plot.replace(
        "<svg ", f'<svg x="{left}" y="{top + _HEAD}" width="{_WIDTH}" height="{_HEIGHT}" ', 1
    )
    head = f'<text class="head" x="{left + 54}" y="{top + 16}" fill="currentColor">{panel.title}</text>'
    return head + placed


def _dots(history: Sequence[Values], key: str) -> tuple[plots.Dot, ...]:
    return tuple(plots.Dot(float(entry["step"]), entry[key]) for entry in history if key in entry)


def progress(event: Values) -> str:
    """Return one line for an event of a run."""
    match event["event"]:
        case "step":
            told = [f"step {event['step']}/{event['steps']}", f"loss {_figure(event['loss'])}"]
            if event["accuracy"] is not None:
                told.append(f"told apart {figures.share(event['accuracy'])}")
            elif event["margin"] is not None:
                told.append(f"margin {_figure(event['margin'])}")
            return "  ".join((*told, f"about {event['seconds_left']:.0f} s left"))
        case "resumed":
            return f"goes on after step {event['step']}"
        case "proof":
            limit = f"limit {event['limit']:g}"
            return f"{event['guard']}: {_figure(event['value'])}, {limit}: {event['verdict']}"
        case other:
            return str(other)


def to_text(manifest: Values) -> str:
    """Return what a run made, for a terminal."""
    return "\n".join(_summary(manifest))


def _summary(about: Values) -> Iterator[str]:
    parent = about["parent"]
    start = f"from {parent['name']}" if parent else f"from the base {about['base']['name']}"
    made = f"by recipe '{about['recipe_name']}', {digest.short(about['digest'])}"
    yield f"{about['version']}: {about['type']} {start} {made}"
    dataset = about["dataset"]
    yield f"  data: {dataset['name']}, {dataset['train']} rows trained on, {dataset['held_out']} held out"
    memory = f"at most {about['peak_mib']['memory']:.0f} MiB"
    yield f"  {about['steps']} steps in {figures.seconds(about['seconds'])}, {memory}"
    rows = [("", "measured", "limit", "verdict"), *guard_rows((*about["proof"], *about["guards"]))]
    yield from (f"  {line}".rstrip() for line in figures.table(rows))
    held = about["metrics"]["held_out"]
    if "rewards/accuracies" in held:
        yield f"  held-out pairs told apart: {figures.share(held['rewards/accuracies'])}"


def guard_rows(readings: Iterable[Values]) -> Iterator[tuple[str, ...]]:
    """Yield each guard with its value, its limit and its verdict."""
    for each in readings:
        limit = "a number" if each["limit"] is None else f"{each['limit']:g}"
        yield each["guard"], _figure(each["value"]), limit, each["verdict"]


def _figure(value: float | None) -> str:
    return "no number" if value is None else f"{value:.4g}"
