"""The report of a window (a week, as a rule): what a team steers by, as sections that read alike everywhere.

`loop report` prints them as Markdown and writes them as one HTML file with plots. Both are made from the same
sections, so that they cannot differ. Values in, text out; it decides nothing.
"""

from runner.report.weekly.material import (
    Collected,
    Happening,
    Material,
    Pair,
    Quality,
    Raters,
    Rollouts,
    Stand,
    Tails,
    Told,
    Week,
)
from runner.report.weekly.whole import sections, to_html, to_json, to_markdown

__all__ = [
    "Collected",
    "Happening",
    "Material",
    "Pair",
    "Quality",
    "Raters",
    "Rollouts",
    "Stand",
    "Tails",
    "Told",
    "Week",
    "sections",
    "to_html",
    "to_json",
    "to_markdown",
]
