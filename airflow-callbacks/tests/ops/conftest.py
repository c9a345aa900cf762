from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import pytest

#: Set by tools/opsTests.ts, which starts the servers. Without it these are not collected here: they have a run of their own.
POSTGRES = os.environ.get("FIREDAMPER_OPS_POSTGRES")
KAFKA = os.environ.get("FIREDAMPER_OPS_KAFKA")
collect_ignore_glob = [] if POSTGRES and KAFKA else ["test_ops_real_*.py"]


@pytest.fixture
def context() -> dict[str, Any]:
    return {"dag_run": SimpleNamespace(dag_id="ops", run_id="manual__1", conf={})}


#: Every right on every table of the schema, told independently of the code under test.
ACL_SQL = """
SELECT c.relname, NULL, pg_get_userbyid(a.grantor), a.grantee::regrole::text, a.privilege_type, a.is_grantable
FROM pg_class c, LATERAL aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) a
WHERE c.relnamespace = 'sales'::regnamespace AND c.relkind IN ('r', 'p', 'v')
UNION ALL
SELECT c.relname, t.attname, pg_get_userbyid(a.grantor), a.grantee::regrole::text, a.privilege_type, a.is_grantable
FROM pg_class c JOIN pg_attribute t ON t.attrelid = c.oid, LATERAL aclexplode(t.attacl) a
WHERE c.relnamespace = 'sales'::regnamespace AND NOT t.attisdropped
"""


class Database:
    """A database of its own for one test, on the real server; ``as_role`` is what a person's or a job's own login would be."""

    def __init__(self, name: str) -> None:
        self.name = name

    def dsn(self, user: str | None = None) -> str:
        assert POSTGRES
        base = POSTGRES.rsplit("/", 1)[0] + f"/{self.name}"
        return base if user is None else base.replace(base.split("//")[1].split("@")[0], f"{user}:pw")

    def run(self, sql: str, user: str | None = None) -> list[tuple[Any, ...]]:
        import psycopg2

        connection = psycopg2.connect(self.dsn(user))
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    def rights(self) -> list[Any]:
        return sorted(self.run(ACL_SQL), key=str)

    def may(self, sql: str, user: str) -> bool:
        import psycopg2.errors

        try:
            self.run(sql, user)
        except psycopg2.errors.InsufficientPrivilege:
            return False
        return True


ROLES = ("repair", "owner", "writer", "reader", "clerk", "boss", "intern", '"we""ird %s"')

#: A test may have left a session behind, and schemas, and rights on the database: roles can only be dropped after all of that.
AFRESH = "\n".join(
    [
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid();",
        "DROP SCHEMA IF EXISTS sales, backup, firedamper CASCADE;",
        *(f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN END $$; DROP OWNED BY {role};" for role in ROLES),
        *(f"DROP ROLE {role}; CREATE ROLE {role} LOGIN PASSWORD 'pw';" for role in ROLES),
        "GRANT owner TO repair; GRANT CREATE ON DATABASE ops_test TO repair;",
        "CREATE SCHEMA sales AUTHORIZATION owner; GRANT USAGE ON SCHEMA sales TO PUBLIC;",
    ]
)


@pytest.fixture(scope="session", autouse=True)
def _database() -> None:
    if POSTGRES:
        Database("postgres").run("DROP DATABASE IF EXISTS ops_test WITH (FORCE)")
        Database("postgres").run("CREATE DATABASE ops_test")


@pytest.fixture(params=["psycopg2", "psycopg3"])
def database(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The acts connect as ``repair``, a member of ``owner`` and no superuser; all roles are made anew."""
    from firedamper_airflow.ops import database as module

    made = Database("ops_test")
    made.run(AFRESH)

    def connect(conn_id: str) -> Any:
        assert conn_id == "warehouse"
        if request.param == "psycopg2":
            import psycopg2 as driver
        else:
            import psycopg as driver
        return module.Session(driver.connect(made.dsn("repair")), "postgres")

    monkeypatch.setattr(module, "connect", connect)
    return made
