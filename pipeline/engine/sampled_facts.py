"""An engine that reads the facts of sampled customers from copies, which hold the facts of nobody else."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.engine import Engine, Range, queries


class SampledFacts:
    """``engine``, but for facts that are bound with an ``only``: of each file the rows of the view ``customers`` are
    copied into ``folder`` when it is first asked for, and read from there.

    Cohorts read the same months again and again, and most of what they would read is of customers who are not sampled.
    Whoever ``only`` names has to be in the view.
    """

    def __init__(self, engine: Engine, customers: str, folder: Path):
        self._engine, self._customers, self._folder = engine, customers, folder
        self._copies: dict[tuple[str, str | None], Path] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def bind_facts(
        self,
        name: str,
        columns: Mapping[str, str],
        files: Sequence[tuple[str, str | None]],
        *,
        only: str | None = None,
        within: Range | None = None,
    ) -> None:
        if only is not None:
            files = [(str(self._copy(columns, file)), None) for file in files]
        self._engine.bind_facts(name, columns, files, only=only, within=within)

    def _copy(self, columns: Mapping[str, str], file: tuple[str, str | None]) -> Path:
        if file not in self._copies:
            copy = self._folder / f"facts-{len(self._copies):05d}.parquet"
            self._engine.bind_facts("facts_to_copy", columns, [file], only=self._customers)
            self._engine.write(queries.compose("select * from facts_to_copy"), {}, copy)
            self._copies[file] = copy
        return self._copies[file]
