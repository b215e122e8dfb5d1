"""Where DVC keeps the bytes, as far as that concerns Git: a store in this repository is committed with the rest.

Called by whoever commits what DVC has pushed. It reads DVC's configuration and nothing else.
"""

from __future__ import annotations

import configparser
import os
from pathlib import Path
from urllib.parse import urlsplit

from runner.errors import terminal

CONFIG = Path(".dvc/config")


def inside(root: Path) -> str | None:
    """Return the folder of DVC's default store, relative to `root`; None where it lies elsewhere.

    Raises TerminalError where the configuration cannot be read.
    """
    settings = configparser.ConfigParser(interpolation=None)
    try:
        settings.read_string((root / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (configparser.Error, UnicodeDecodeError) as error:
        raise terminal(f"{CONFIG} cannot be read", str(error)) from error
    name = settings.get("core", "remote", fallback="")
    url = settings.get(f"'remote \"{name}\"'", "url", fallback="")
    if not url or urlsplit(url).scheme:
        return None
    folder = Path(os.path.normpath(root.resolve() / CONFIG.parent / url))  # DVC reads it from its own folder
    return folder.relative_to(root.resolve()).as_posix() if folder.is_relative_to(root.resolve()) else None
