"""A common.sql connection as these acts need it: names quoted here, values bound by the driver, one transaction, whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Any, Iterator, Sequence

from firedamper_airflow.ops.allow import TableName
from firedamper_airflow.ops.refusal import Refused

#: Stands where a value goes. No name that we let through can have this character, so a name can never become a placeholder.
P = "\0"

# How each quotes a name. What is not here is refused: a wrong quote is a way in.
_QUOTES = {
    "postgres": '"',
    "redshift": '"',
    "snowflake": '"',
    "sqlite": '"',
    "duckdb": '"',
    "trino": '"',
    "mysql": "`",
}


class DatabaseError(RuntimeError):
    """What the server said, without what it quoted. Nothing was changed."""


class Session:
    """One DB-API connection in one transaction."""

    def __init__(self, connection: Any, dialect: str, placeholder: str = "%s") -> None:
        if dialect not in _QUOTES:
            raise Refused(f"connection type {dialect!r} is not supported, only {', '.join(sorted(_QUOTES))}")
        self.connection = connection
        self.dialect = dialect
        self._placeholder = placeholder

    def name(self, *parts: str) -> str:
        """Quoted, so that it can only be a name, whatever is in it."""
        quote = _QUOTES[self.dialect]
        if any("\0" in part for part in parts):
            raise Refused("a name has a NUL in it")
        return ".".join(quote + part.replace(quote, quote * 2) + quote for part in parts)

    def table(self, table: TableName) -> str:
        return self.name(table.schema, table.table)

    def run(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Executes one statement; answers how many rows it touched."""
        with self._executed(sql, values) as cursor:
            return int(cursor.rowcount)

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._executed(sql, values) as cursor:
            return [tuple(row) for row in cursor.fetchall()]

    def one(self, sql: str, values: Sequence[Any] = ()) -> Any:
        """The only column of the only row."""
        return self.rows(sql, values)[0][0]

    @contextmanager
    def _executed(self, sql: str, values: Sequence[Any]) -> Iterator[Any]:
        if sql.count(P) != len(values):
            raise ValueError("as many values as placeholders")
        cursor = self.connection.cursor()
        try:
            if values:
                if self._placeholder == "%s":
                    sql = sql.replace("%", "%%")  # a name or a text may have a percent sign of its own
                cursor.execute(sql.replace(P, self._placeholder), tuple(values))
            else:
                cursor.execute(sql)
            yield cursor
        finally:
            cursor.close()


@contextmanager
def transaction(conn_id: str, *, read_only: bool = False) -> Iterator[Session]:
    """Commits when the block ends, rolls back whatever ends it otherwise."""
    session = connect(conn_id)
    try:
        if read_only and session.dialect == "postgres":
            session.run("SET TRANSACTION READ ONLY")  # psycopg opens the transaction with the first statement: this is the first
        yield session
        if not read_only:  # what was only read ends with the connection; some drivers have no rollback without a change
            session.connection.commit()
    except BaseException as error:
        # The first error is the one to tell, whatever the broken connection says about the rollback.
        try:
            session.connection.rollback()
        except Exception:
            pass
        primary = getattr(getattr(error, "diag", None), "message_primary", None)
        if primary:
            # PostgreSQL's detail quotes rows ("Failing row contains ..."), and an exception's text goes into logs and callbacks.
            raise DatabaseError(f"{type(error).__name__}: {primary}") from None
        raise
    finally:
        session.connection.close()


def connect(conn_id: str) -> Session:
    try:
        from airflow.sdk import BaseHook
    except ImportError:
        from airflow.hooks.base import BaseHook  # 2.9-2.11
    try:
        from airflow.providers.common.sql.hooks.sql import DbApiHook
    except ImportError:
        raise Refused(
            "apache-airflow-providers-common-sql is not installed: pip install 'airflow-provider-firedamper[sql]'"
        ) from None
    connection = BaseHook.get_connection(conn_id)
    dialect = str(connection.conn_type)
    if dialect not in _QUOTES:
        raise Refused(f"connection {conn_id!r} is of type {dialect!r}; supported are {', '.join(sorted(_QUOTES))}")
    hook = connection.get_hook()
    if not isinstance(hook, DbApiHook):
        raise Refused(f"connection {conn_id!r} is no connection of the common.sql kind")
    opened = hook.get_conn()
    return Session(opened, dialect, str(hook.placeholder))


def require_postgres(session: Session, what: str) -> None:
    """Redshift, CockroachDB and others answer to the same driver and have other rules for the same words."""
    if session.dialect != "postgres":
        raise Refused(f"{what} is not supported on {session.dialect}: only on PostgreSQL 12 and later")
    version = str(session.one("SELECT version()"))
    if not version.startswith("PostgreSQL ") or "Redshift" in version:
        raise Refused(f"{what} is only supported on PostgreSQL itself, not on {version[:60]}")
    number = int(session.one("SHOW server_version_num"))
    if number < 120000:
        raise Refused(f"{what} needs PostgreSQL 12 or later, not {number}")
