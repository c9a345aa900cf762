"""What conf may touch: names as conf gives them, and the author's lists that they must match."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Iterable, Mapping, Sequence

from firedamper_airflow.ops.refusal import Refused

_MAX_NAME = 255  # the longest that any of the databases has (Snowflake); PostgreSQL's 63 are its own business


@dataclass(frozen=True)
class TableName:
    """Schema and table exactly as the database's catalogue has them: case counts, nothing is folded."""

    schema: str
    table: str

    @classmethod
    def parse(cls, text: object, what: str = "table") -> TableName:
        """Only ``schema.table``: a bare name would mean whatever the search path of the connection says."""
        if not isinstance(text, str):
            raise Refused(f"{what} must be a text like schema.table")
        parts = text.split(".")
        if len(parts) != 2 or not all(parts):
            raise Refused(f"{what} must be written schema.table, not {text[:200]!r}")
        for part in parts:
            check_name(part, what)
        return cls(*parts)

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


def check_name(name: object, what: str) -> str:
    """Any name that a database can have, quotes and blanks included (they are quoted later), but nothing that cannot be shown to people."""
    if not isinstance(name, str) or not name or len(name) > _MAX_NAME:
        raise Refused(f"{what}: a name has 1 to {_MAX_NAME} characters")
    if not name.isprintable():
        raise Refused(f"{what}: {name!r} has characters that cannot be printed")
    return name


class AllowedTables:
    """The author's globs, ``schema.table``; each part is matched alone, so that ``sales.*`` never reaches another schema."""

    def __init__(self, patterns: Iterable[str], what: str = "tables") -> None:
        self.patterns = _listed(patterns, what)
        self._what = what
        for pattern in self.patterns:
            if len(pattern.split(".")) != 2 or not all(pattern.split(".")):
                raise ValueError(f"{what}: {pattern!r} must be written schema.table, each part may have *, ? and [abc]")

    def check(self, name: TableName, table: TableName | None = None) -> None:
        """``{table}`` and ``{schema}`` in a pattern stand for those of ``table``: a backup then serves its own table only."""
        if not any(_matches(pattern, name, table) for pattern in self.patterns):
            raise Refused(f"{name} is not among the {self._what} that this DAG allows: {', '.join(self.patterns)}")


def _matches(pattern: str, name: TableName, table: TableName | None) -> bool:
    parts = pattern.split(".")
    if table is not None:
        parts = [part.replace("{table}", _literal(table.table)).replace("{schema}", _literal(table.schema)) for part in parts]
    # fnmatchcase: plain fnmatch folds case on some systems
    return fnmatchcase(name.schema, parts[0]) and fnmatchcase(name.table, parts[1])


def _literal(text: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in text)


class AllowedTopics:
    """Which topic may be replayed into which: globs to lists of globs."""

    def __init__(self, topics: Mapping[str, Sequence[str]]) -> None:
        if not isinstance(topics, Mapping) or not topics:
            raise ValueError('topics must name at least one pair, e.g. {"orders": ["orders.replay"]}')
        self.topics = {source: _listed(targets, f"topics[{source!r}]") for source, targets in topics.items()}

    def check(self, source: str, target: str) -> None:
        for name in (source, target):
            # The broker's own rule; also keeps "." and ".." out
            if not name.replace(".", "").replace("_", "").replace("-", "").isalnum() or not name.isascii() or len(name) > 249:
                raise Refused(f"{name!r} is no topic name")
        fitting = [targets for pattern, targets in self.topics.items() if fnmatchcase(source, pattern)]
        if not fitting:
            raise Refused(f"topic {source} is not among those that this DAG allows: {', '.join(self.topics)}")
        listed = [pattern for targets in fitting for pattern in targets]
        if not any(fnmatchcase(target, pattern) for pattern in listed):
            raise Refused(f"topic {source} may not be replayed into {target}, only into {', '.join(listed)}")


def _listed(patterns: Iterable[str], what: str) -> list[str]:
    # A lone text would be taken letter by letter, and "*" among those letters allows everything.
    if isinstance(patterns, str):
        raise ValueError(f"{what} must be a list, not a text")
    listed = list(patterns)
    if not listed or not all(isinstance(pattern, str) and pattern for pattern in listed):
        raise ValueError(f"{what} must be a list of names or globs with at least one entry")
    return listed
