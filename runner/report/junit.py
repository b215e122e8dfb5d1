"""An evaluation as JUnit XML, the form in which continuous integration shows tests: gates are the cases.

Reads the values of evaluation.json. One test suite for each suite; FAIL and INCONCLUSIVE are failures, for neither
promotes, ERROR is an error. A suite without gates is there without cases. Decides nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

Values = Mapping[str, Any]
_UNPRINTABLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold."""
_ENDS = {
    "FAIL": ("failure", "fail"),
    "INCONCLUSIVE": ("failure", "inconclusive"),
    "ERROR": ("error", "error"),
}


def to_xml(report: Values) -> str:
    """Return the document as text."""
    root = ElementTree.Element(
        "testsuites", _attributes(f"loop evaluate {report['version']}", report["gates"])
    )
    root.set("time", f"{report['seconds']:.3f}")
    for suite in report["suites"]:
        gates = [gate for gate in report["gates"] if gate["suite"] == suite["suite"]]
        element = ElementTree.SubElement(root, "testsuite", _attributes(suite["suite"], gates))
        element.set("skipped", "0")
        element.set("time", f"{suite['seconds']:.3f}")
        element.set("timestamp", f"{report['at']}T00:00:00")
        element.set("hostname", report["environment"])
        for gate in gates:
            _case(element, gate, report["version"], suite["seconds"] / len(gates))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _attributes(name: str, gates: Sequence[Values]) -> dict[str, str]:
    tags = [_ENDS[gate["verdict"]][0] for gate in gates if gate["verdict"] in _ENDS]
    return {
        "name": name,
        "tests": str(len(gates)),
        "failures": str(tags.count("failure")),
        "errors": str(tags.count("error")),
    }


def _case(suite: ElementTree.Element, gate: Values, version: str, seconds: float) -> None:
    about = {"name": gate["gate"], "classname": f"{version}.{gate['suite']}", "time": f"{seconds:.3f}"}
    case = ElementTree.SubElement(suite, "testcase", about)
    if gate["verdict"] in _ENDS:
        tag, kind = _ENDS[gate["verdict"]]
        end = ElementTree.SubElement(case, tag, {"message": _clean(gate["condition"]), "type": kind})
        end.text = _clean(gate["evidence"])


def _clean(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)
