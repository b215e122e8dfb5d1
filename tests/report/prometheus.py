"""A real Prometheus and its promtool (Debian package `prometheus`) on the loopback, for tests of what they read."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.reconcile.real_parts import free_addresses
from tests.waiting import PATIENCE_S, until

MISSING = [name for name in ("prometheus", "promtool") if shutil.which(name) is None]
needs_prometheus = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)} not installed: apt-get install prometheus"
)


def promtool(*arguments: str, given: bytes = b"") -> str:
    """Run promtool and return what it said; fail the test where it is not content."""
    done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


@dataclass(frozen=True)
class Prometheus:
    """A running server and its API."""

    url: str

    def ask(self, path: str, **parameters: str) -> Any:
        """Return the data of an answer."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=PATIENCE_S) as answer:
            return json.load(answer)["data"]

    def series(self, expression: str) -> list[dict[str, Any]]:
        """Return the series of an expression now; fail where it is not PromQL."""
        try:
            return self.ask("query", query=expression)["result"]  # type: ignore[no-any-return]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}\n{error.read().decode()}") from None

    def scraped(self, times: int) -> bool:
        """Whether every target was scraped so often."""
        found = self.series(f"count_over_time(up[1m]) >= {times} and up == 1")
        return bool(found) and len(found) == len(self.series("up"))


@contextmanager
def serving(pages: dict[str, Callable[[], bytes]]) -> Iterator[str]:
    """Serve pages and give the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(200 if page else 404)
            self.send_header("content-type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(page() if page else b"")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def running(folder: Path, target: str, paths: tuple[str, ...], rules: str) -> Iterator[Prometheus]:
    """Run a server that scrapes `paths` of one target every second and has these rules; it ends with the block."""
    (folder / "rules.yaml").write_text(rules)
    jobs = [
        {"job_name": f"job{path}", "metrics_path": path, "static_configs": [{"targets": [target]}]}
        for path in paths
    ]
    timing = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = {"global": timing, "rule_files": ["rules.yaml"], "scrape_configs": jobs}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    (address,) = free_addresses(1)
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            server = Prometheus(f"http://{address}")
            until(lambda: process.poll() is not None or _ready(server.url), "prometheus")
            assert process.poll() is None, log.read_text()
            yield server
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=PATIENCE_S) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
