"""The scripts of the workflows as modules: they lie beside each other and are no package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from tests.docs.scratch import ROOT

SCRIPTS = ROOT / ".github/scripts"


def script(name: str) -> ModuleType:
    """Load one as Python does where it is run: its own folder comes first."""
    place = importlib.util.spec_from_file_location(f"workflow_{name}", SCRIPTS / f"{name}.py")
    assert place and place.loader
    module = importlib.util.module_from_spec(place)
    with patch.object(sys, "path", [str(Path(SCRIPTS)), *sys.path]):
        place.loader.exec_module(module)
    return module
