"""Spark as the engine, for logs that outgrow one machine: the same expressions over the same Parquet files.

Passed to `passes.Measurer` by whoever wants it; needs pyspark and Java 17. Counting, joining and finding pairs are
distributed; texts are scored in the driver, batch by batch. Imported only where it is used.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa

from runner.errors import terminal
from runner.events.lake import Question

LOCAL: Mapping[str, str] = MappingProxyType(
    {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "ERROR",
    }
)
"""How a session of our own is set up: nothing listens beyond this machine."""


class Spark:
    """A Spark session as an engine; one that is passed in stays open."""

    def __init__(self, session: Any = None, cores: int = 2, memory: str = "1g") -> None:
        """Open a local session where none is given. Raises TerminalError where pyspark or Java is missing."""
        self._is_ours = session is None
        self._session = _local(cores, memory) if session is None else session
        with warnings.catch_warnings():
            _silence()
            self._backend = ibis.pyspark.connect(self._session)

    def parquet(self, files: Sequence[str]) -> ir.Table:
        """Return the rows of files as one table."""
        frame = self._session.read.option("mergeSchema", "true").parquet(*files)
        name = ibis.util.gen_name("parquet")
        frame.createOrReplaceTempView(name)
        return self._backend.table(name)

    def arrow(self, expression: ir.Table) -> pa.Table:
        """Compute an expression."""
        with warnings.catch_warnings():
            _silence()
            return self._backend.to_pyarrow(expression)

    def answer(
        self, question: Question, tables: Mapping[str, ir.Table], values: Mapping[str, int | str]
    ) -> pa.Table:
        """Compute a question."""
        return self.arrow(question(tables, values))

    def close(self) -> None:
        """End the session if it is ours."""
        if self._is_ours:
            self._session.stop()


def _local(cores: int, memory: str) -> Any:
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    try:
        with warnings.catch_warnings():
            _silence()
            from pyspark.sql import SparkSession

            builder = (
                SparkSession.builder.master(f"local[{cores}]")
                .appName("loop")
                .config("spark.driver.memory", memory)
            )
            for name, value in LOCAL.items():
                builder = builder.config(name, value)
            return builder.getOrCreate()
    except (ImportError, RuntimeError) as error:
        raise terminal(
            "Spark cannot be started",
            f"{type(error).__name__}: {error}",
            fix="install requirements/spark.txt and Java 17, or leave Spark out: DuckDB gives the same figures",
        ) from error


def _silence() -> None:
    """Keep pyspark from telling with every import that it does not know the newest pandas yet."""
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
