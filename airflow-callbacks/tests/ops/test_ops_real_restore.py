# ruff: noqa: E501  a table of cases
"""Restores on a real PostgreSQL."""

from __future__ import annotations

from typing import Any, Optional

import pytest

from firedamper_airflow.ops import locks, restore
from firedamper_airflow.ops.allow import AllowedTables, TableName
from firedamper_airflow.ops.refusal import Refused

ALLOWED = AllowedTables(["sales.*"])
BACKUPS = AllowedTables(["backup.{table}_*"], "backups")


@pytest.fixture
def orders(database: Any) -> Any:
    database.run(
        """
        CREATE SCHEMA backup AUTHORIZATION owner;
        SET ROLE owner;
        CREATE TABLE sales.orders (
            id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric(10,2) NOT NULL, note text,
            twice numeric GENERATED ALWAYS AS (amount * 2) STORED
        );
        CREATE VIEW sales.big AS SELECT * FROM sales.orders WHERE amount > 100;
        INSERT INTO sales.orders (amount, note) VALUES (1, 'a'), (200, NULL), (3, 'c');
        CREATE TABLE backup.orders_monday AS TABLE sales.orders;
        GRANT SELECT, INSERT ON sales.orders TO writer;
        GRANT SELECT ON sales.big TO reader;
        """
    )
    database.run("SET ROLE owner; UPDATE sales.orders SET amount = -1; DELETE FROM sales.orders WHERE id = 3")
    return database


def act(keep_in: Optional[str] = None, **asked: Any) -> dict[str, Any]:
    whole = {"table": "sales.orders", "backup": "backup.orders_monday", "allow_empty": False, "dry_run": False, **asked}
    return restore.restore("warehouse", ALLOWED, BACKUPS, keep_in, whole)


def rows(database: Any, table: str = "sales.orders") -> list[Any]:
    return database.run(f"SELECT id, amount, note, twice FROM {table} ORDER BY id")


def test_the_rows_are_those_of_the_backup_and_the_rest_of_the_table_is_as_it_was(orders: Any) -> None:
    rights, wanted = orders.rights(), rows(orders, "backup.orders_monday")
    assert rows(orders) != wanted
    done = act()
    assert rows(orders) == wanted
    assert (done["rows_before"], done["rows_after"], done["rows_in_backup"]) == (2, 3, 3)
    assert orders.rights() == rights
    assert orders.run("SELECT id FROM sales.big", "reader") == [(2,)], "the view still looks at this table"
    orders.run("SET ROLE owner; INSERT INTO sales.orders (amount) VALUES (5)")
    assert orders.run("SELECT max(id) FROM sales.orders") == [(4,)], "the identity goes on"


def test_a_dry_run_counts_and_changes_nothing(orders: Any) -> None:
    before = rows(orders)
    said = act(dry_run=True)
    assert (said["rows_before"], said["rows_in_backup"]) == (2, 3)
    assert rows(orders) == before


def test_a_locked_table_is_restored_and_stays_locked(orders: Any, context: Any) -> None:
    before = orders.rights()
    state, asked = TableName("firedamper", "table_locks"), {"table": "sales.orders", "lock_id": "i1", "dry_run": False}
    locks.lock("warehouse", ALLOWED, state, (), asked, context)
    locked = orders.rights()
    act()
    assert rows(orders) == rows(orders, "backup.orders_monday")
    assert orders.rights() == locked
    locks.unlock("warehouse", ALLOWED, state, asked, context)
    assert orders.rights() == before


def test_the_replaced_rows_can_be_kept_and_be_brought_back(orders: Any) -> None:
    bad = rows(orders)
    kept = act(keep_in="backup")["kept_as"]
    assert rows(orders, kept) == bad
    act(backup=kept)
    assert rows(orders) == bad


def test_partitions_are_replaced_with_their_table(orders: Any) -> None:
    orders.run(
        """
        SET ROLE owner;
        CREATE TABLE sales.parts (id int, x text) PARTITION BY RANGE (id);
        CREATE TABLE sales.part_1 PARTITION OF sales.parts FOR VALUES FROM (0) TO (10);
        CREATE TABLE sales.part_2 PARTITION OF sales.parts FOR VALUES FROM (10) TO (20);
        INSERT INTO sales.parts VALUES (1, 'bad'), (11, 'bad'), (12, 'bad');
        CREATE TABLE backup.parts_1 (x text, id int);
        INSERT INTO backup.parts_1 VALUES ('good', 2), ('good', 13);
        """
    )
    assert act(table="sales.parts", backup="backup.parts_1")["rows_before"] == 3
    assert orders.run("SELECT id, x FROM sales.parts ORDER BY id") == [(2, "good"), (13, "good")]


CASES = {
    "a table that is not allowed": ("", {"table": "hr.people"}, "not among the tables"),
    "a backup that is not allowed": ("CREATE TABLE backup.other_1 AS TABLE sales.orders", {"backup": "backup.other_1"}, "not among the backups"),
    "somebody else's backup": ("CREATE TABLE backup.order_1 AS TABLE sales.orders", {"backup": "backup.order_1"}, "not among the backups"),
    "no such backup": ("", {"backup": "backup.orders_never"}, "does not exist"),
    "injected": ("", {"backup": "backup.orders_x; DROP TABLE orders"}, "does not exist"),
    "a column less": ("ALTER TABLE backup.orders_monday DROP COLUMN note", {}, "missing in the backup: note"),
    "a column more": ("ALTER TABLE backup.orders_monday ADD COLUMN extra int", {}, "only in the backup: extra"),
    "another type": ("ALTER TABLE backup.orders_monday ALTER amount TYPE numeric(12,4)", {}, r"amount \(numeric\(10,2\), in the backup numeric\(12,4\)\)"),
    "empty": ("DELETE FROM backup.orders_monday", {}, "is empty"),
    "a view": ("CREATE VIEW backup.orders_v AS TABLE sales.orders", {"backup": "backup.orders_v"}, "holds no rows of its own"),
    "referred to": ("CREATE TABLE sales.items (o int REFERENCES sales.orders (id) ON DELETE CASCADE)", {}, "other tables refer to sales.orders: sales.items"),
    "triggers": (
        "CREATE FUNCTION sales.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        "CREATE TRIGGER audit AFTER INSERT ON sales.orders FOR EACH ROW EXECUTE FUNCTION sales.f()",
        {},
        "has triggers.*audit",
    ),
    "rules": ("CREATE RULE r AS ON INSERT TO sales.orders DO ALSO NOTHING", {}, "has rules"),
    "inherited": ("CREATE TABLE sales.child () INHERITS (sales.orders)", {}, "inherit"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_refused_before_anything_is_touched(orders: Any, case: str) -> None:
    sql, asked, why = CASES[case]
    orders.run(f"SET ROLE owner; {sql}")
    before, rights = rows(orders), orders.rights()
    for dry in (True, False):
        with pytest.raises(Refused, match=why):
            act(dry_run=dry, **asked)
    assert rows(orders) == before
    assert orders.rights() == rights


def test_not_the_owner(orders: Any) -> None:
    orders.run(
        "CREATE TABLE sales.mine (id int); CREATE TABLE backup.mine_1 AS TABLE sales.mine; GRANT SELECT ON sales.mine, backup.mine_1 TO PUBLIC"
    )
    with pytest.raises(Refused, match="neither the owner"):
        act(table="sales.mine", backup="backup.mine_1", allow_empty=True)


def test_an_empty_backup_that_is_meant(orders: Any) -> None:
    orders.run("SET ROLE owner; DELETE FROM backup.orders_monday")
    assert act(allow_empty=True)["rows_after"] == 0


def test_rows_that_do_not_fit_leave_the_table_as_it_is(orders: Any) -> None:
    orders.run("SET ROLE owner; UPDATE backup.orders_monday SET amount = NULL WHERE id = 2")
    before, rights = rows(orders), orders.rights()
    with pytest.raises(Exception, match="null value") as raised:
        act(keep_in="backup")
    assert "contains" not in str(raised.value), "no row gets into a log or a callback"
    assert rows(orders) == before
    assert orders.rights() == rights
    assert orders.run("SELECT count(*) FROM pg_class WHERE relname LIKE '%_before_%'") == [(0,)]


def test_a_policy_that_would_hide_rows_is_an_error_and_not_a_shorter_table(orders: Any) -> None:
    orders.run("SET ROLE owner; ALTER TABLE backup.orders_monday ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    before = rows(orders)
    with pytest.raises(Exception, match="row-level security"):
        act()
    assert rows(orders) == before


def test_somebody_who_holds_the_table_is_not_waited_for_for_ever(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg2

    run = restore.Session.run
    monkeypatch.setattr(restore.Session, "run", lambda self, sql, values=(): run(self, sql.replace("'10s'", "'300ms'"), values))
    before, busy = rows(orders), psycopg2.connect(orders.dsn())
    with busy.cursor() as cursor:
        cursor.execute("SELECT * FROM sales.orders")
        with pytest.raises(Exception, match="lock timeout"):
            act()
    busy.close()
    assert rows(orders) == before


def test_a_crash_in_the_middle_leaves_all_as_it_was(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before, rights = rows(orders), orders.rights()
    counted = restore._count
    calls: list[int] = []

    def count(session: Any, target: Any) -> int:
        calls.append(1)
        if len(calls) == 2:  # the truncate and the copy are done
            session.connection.close()
            raise ConnectionError("the line is cut")
        return counted(session, target)

    monkeypatch.setattr(restore, "_count", count)
    with pytest.raises(ConnectionError):
        act()
    assert rows(orders) == before
    assert orders.rights() == rights
