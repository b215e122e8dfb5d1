"""The rules of axe-core, an npm package locked beside this file and installed once into the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

RULES = Path(__file__).parent / "axe"
CACHE = Path(__file__).parents[2] / ".cache" / "accessibility"


def reason_to_skip() -> str:
    """Return why the rules cannot be had here, or nothing."""
    return "" if shutil.which("npm") else "npm is not installed: the accessibility rules come from it"


def script() -> str:
    """Return the rules as a script for a browser, installing them where that was not done yet."""
    lock = (RULES / "package-lock.json").read_bytes()
    folder = CACHE / hashlib.sha256(lock).hexdigest()[:12]
    if not folder.is_dir():
        building = folder.with_name(f"{folder.name}.{os.getpid()}")
        shutil.copytree(RULES, building, ignore=shutil.ignore_patterns("node_modules"))
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
        done = subprocess.run(("npm", "ci", *quiet), cwd=building, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        try:
            building.rename(folder)
        except OSError:  # another run was quicker
            shutil.rmtree(building)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text()
