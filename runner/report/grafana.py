"""Panels in a Grafana dashboard's JSON, so that `dashboard` only says what is shown. Values in, plain values out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

UID = "loop-signals"
SCHEMA_VERSION = 42
"""The last of Grafana's classic schema; from version 12.2 on it is read without migration, later ones convert it."""
_WIDTH = 24
_HEIGHT = 8


class Kind(StrEnum):
    """Grafana's panel types in use."""

    LINES = "timeseries"
    HEATMAP = "heatmap"
    STATES = "state-timeline"
    TABLE = "table"
    NUMBER = "stat"
    BARS = "bargauge"


class Format(StrEnum):
    """How Grafana reads a query's answer."""

    SERIES = "time_series"
    HEATMAP = "heatmap"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL and how its series are called; `instant` asks for one moment only."""

    expression: str
    legend: str = ""
    format: Format = Format.SERIES
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: width of 24, steps of colour from the value on, and Grafana's name of the unit."""

    title: str
    queries: tuple[Query, ...]
    kind: Kind = Kind.LINES
    width: int = 6
    unit: str = "short"
    steps: tuple[tuple[float | None, str], ...] = ((None, "green"),)
    description: str = ""
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...] = field(default_factory=tuple)


_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def _laid_out(found: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yield rows and panels, each with an id and a place on the grid of 24 columns."""
    number, top = 0, 0
    for row in found:
        number += 1
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": _WIDTH, "x": 0, "y": top},
            "panels": [],
        }
        top, left = top + 1, 0
        for panel in row.panels:
            if left + panel.width > _WIDTH:
                top, left = top + _HEIGHT, 0
            number += 1
            yield _panel(panel, number, {"h": _HEIGHT, "w": panel.width, "x": left, "y": top})
            left += panel.width
        top += _HEIGHT


def _panel(panel: Panel, number: int, place: Mapping[str, int]) -> dict[str, Any]:
    lines = {"mode": "line"} if len(panel.steps) > 1 else {"mode": "off"}
    custom: dict[str, Any] = {}
    if panel.kind is Kind.LINES:
        scale = {"type": "log", "log": 10} if panel.logarithmic else {"type": "linear"}
        custom = {"thresholdsStyle": lines, "scaleDistribution": scale, "spanNulls": True}
    defaults = {
        "unit": panel.unit,
        "color": {"mode": "thresholds" if panel.kind in (Kind.STATES, Kind.NUMBER) else "palette-classic"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": colour} for value, colour in panel.steps],
        },
        "custom": custom,
    }
    return {
        "id": number,
        "type": panel.kind.value,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": dict(place),
        "fieldConfig": {"defaults": defaults, "overrides": _overrides(panel)},
        "options": _OPTIONS.get(panel.kind, {}),
        "targets": [_target(query, index) for index, query in enumerate(panel.queries)],
    }


_OPTIONS: dict[Kind, dict[str, Any]] = {
    Kind.LINES: {
        "legend": {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    Kind.HEATMAP: {"calculate": False, "cellGap": 1, "yAxis": {"axisPlacement": "left"}},
    Kind.BARS: {"orientation": "horizontal", "displayMode": "basic"},
}


def _overrides(panel: Panel) -> list[dict[str, Any]]:
    """Draw an interval as a band behind its value."""
    if panel.kind is not Kind.LINES or "upper" not in {query.legend for query in panel.queries}:
        return []
    faint = [{"id": "custom.lineWidth", "value": 0}, {"id": "color", "value": _fixed("super-light-blue")}]
    band = [{"id": "custom.fillBelowTo", "value": "lower"}, {"id": "custom.fillOpacity", "value": 20}]
    return [
        {"matcher": {"id": "byName", "options": "lower"}, "properties": faint},
        {"matcher": {"id": "byName", "options": "upper"}, "properties": faint + band},
    ]


def _fixed(colour: str) -> dict[str, str]:
    return {"mode": "fixed", "fixedColor": colour}


def _target(query: Query, index: int) -> dict[str, Any]:
    return {
        "refId": chr(ord("A") + index),
        "datasource": _SOURCE,
        "expr": query.expression,
        "legendFormat": query.legend,
        "format": query.format.value,
        "instant": query.instant,
        "range": not query.instant,
    }


def document(found: Sequence[Row], title: str, description: str, environments: str) -> dict[str, Any]:
    """Return the dashboard; `environments` is the series whose label names the environments to choose from."""
    variable = f"label_values({environments}, environment)"
    return {
        "uid": UID,
        "title": title,
        "description": description,
        "tags": ["loop"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": "utc",
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "links": [],
        "annotations": {"list": []},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
                {
                    "name": "environment",
                    "type": "query",
                    "label": "Environment",
                    "datasource": _SOURCE,
                    "definition": variable,
                    "query": {"query": variable, "refId": "environment"},
                    "refresh": 2,
                    "sort": 1,
                    "includeAll": False,
                    "multi": False,
                },
            ]
        },
        "panels": list(_laid_out(found)),
    }
