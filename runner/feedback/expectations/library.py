"""Great Expectations as this project uses it: over frames in memory, without Spark, without calls to its makers.

Nobody else may import it: the import takes seconds, and where Spark is installed it would be imported too, which ends
the process in a program that was not started from a file (`pyspark.sql.connect.utils.check_dependencies`).
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

SPARK = "pyspark"


@cache
def great_expectations() -> ModuleType:
    """Return the library, imported with the first call; `great_expectations().expectations` are its checks."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    with warnings.catch_warnings(), _without(SPARK):
        warnings.simplefilter("ignore")  # of versions of what it does not need here
        found = importlib.import_module("great_expectations")
        importlib.import_module("great_expectations.expectations")
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    return found


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Make a package, and what it holds, impossible to import; afterwards everything is as it was."""
    hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == package}
    sys.modules[package] = None  # type: ignore[assignment] # the documented way to forbid an import
    try:
        yield
    finally:
        del sys.modules[package]
        sys.modules.update(hidden)
