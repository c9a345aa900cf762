"""Lock and unlock on a real PostgreSQL, judged by what the roles can then really do."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from firedamper_airflow.ops import grants, locks
from firedamper_airflow.ops.allow import AllowedTables, TableName
from firedamper_airflow.ops.refusal import Refused

ALLOWED = AllowedTables(["sales.*"])
STATE = TableName("firedamper", "table_locks")
INSERT = "INSERT INTO sales.orders (id, amount) VALUES (1, 2)"


@pytest.fixture
def orders(database: Any) -> Any:
    database.run(
        """
        SET ROLE owner;
        CREATE TABLE sales.orders (id int, amount numeric, note text);
        CREATE TABLE sales.other (id int);
        GRANT SELECT, INSERT, UPDATE ON sales.orders TO writer;
        GRANT SELECT ON sales.orders TO reader;
        GRANT UPDATE (note) ON sales.orders TO clerk;
        GRANT SELECT ON sales.orders TO clerk;
        GRANT INSERT ON sales.other TO writer;
        """
    )
    return database


def lock(context: Any, *, keep: tuple[str, ...] = (), **asked: Any) -> dict[str, Any]:
    return locks.lock(
        "warehouse", ALLOWED, STATE, keep, {"table": "sales.orders", "lock_id": "i1", "dry_run": False, **asked}, context
    )


def unlock(context: Any, **asked: Any) -> dict[str, Any]:
    return locks.unlock("warehouse", ALLOWED, STATE, {"table": "sales.orders", "lock_id": "i1", "dry_run": False, **asked}, context)


def test_nobody_writes_while_it_is_locked_and_afterwards_all_is_as_it_was(orders: Any, context: Any) -> None:
    before = orders.rights()
    done = lock(context)

    assert not orders.may(INSERT, "writer")
    assert not orders.may("UPDATE sales.orders SET note = ''", "clerk")
    assert not orders.may(INSERT, "owner")
    assert orders.may("SELECT * FROM sales.orders", "reader")
    assert orders.may("INSERT INTO sales.other VALUES (1)", "writer"), "another table is not touched"
    assert "INSERT on sales.orders: writer" in done["revoked"]
    assert "UPDATE (note) on sales.orders: clerk" in done["revoked"]
    assert done["can_still_write"] == ["airflow"], "superusers are named, not ignored"

    back = unlock(context)
    assert orders.rights() == before
    assert sorted(back["restored"]) == sorted(done["revoked"])
    assert back["not_restored"] == []
    assert orders.may(INSERT, "writer")
    assert not orders.may("DELETE FROM sales.orders", "writer"), "what was never granted is not granted now"


def test_dry_runs_change_nothing_and_say_what_would_be(orders: Any, context: Any) -> None:
    before = orders.rights()
    said = lock(context, dry_run=True)
    assert "INSERT on sales.orders: writer" in said["would_revoke"]
    assert orders.rights() == before
    assert orders.run("SELECT 1 FROM pg_namespace WHERE nspname = 'firedamper'") == []
    done = lock(context)
    assert done["revoked"] == said["would_revoke"]
    locked = orders.rights()
    assert unlock(context, dry_run=True)["would_restore"] == done["revoked"]
    assert orders.rights() == locked


def test_a_dry_run_could_not_write_if_it_wanted_to(orders: Any, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(session: Any, *_: Any) -> Any:
        session.run("REVOKE INSERT ON sales.orders FROM writer")

    monkeypatch.setattr(locks, "_active", forgetful)
    with pytest.raises(Exception, match="read-only transaction"):
        lock(context, dry_run=True)
    assert orders.may(INSERT, "writer")


def test_unlocking_twice_is_one_unlock_and_a_lock_that_never_was_is_nothing(orders: Any, context: Any) -> None:
    assert unlock(context)["nothing_to_do"]
    lock(context)
    assert not unlock(context)["nothing_to_do"]
    orders.run("REVOKE INSERT ON sales.orders FROM writer")
    assert unlock(context)["nothing_to_do"]
    assert not orders.may(INSERT, "writer"), "the second unlock gives back nothing that somebody took since"


def test_locking_twice_adds_what_was_granted_meanwhile(orders: Any, context: Any) -> None:
    before = orders.rights()
    lock(context)
    orders.run("SET ROLE owner; GRANT DELETE, SELECT ON sales.orders TO intern")
    again = lock(context)
    assert again["already_locked"]
    assert again["revoked"] == ["DELETE on sales.orders: intern"]
    unlock(context)
    assert orders.may("DELETE FROM sales.orders", "intern")
    orders.run("SET ROLE owner; REVOKE ALL ON sales.orders FROM intern")
    assert orders.rights() == before


def test_two_incidents_lock_and_the_last_one_to_go_opens(orders: Any, context: Any) -> None:
    before = orders.rights()
    lock(context, lock_id="i1")
    assert not lock(context, lock_id="i2")["already_locked"]
    first = unlock(context, lock_id="i1")
    assert first["restored"] == []
    assert first["still_locked_by"] == ["i2"]
    assert not orders.may(INSERT, "writer")
    with pytest.raises(Refused, match="no lock 'i3'; it is locked by i2"):
        unlock(context, lock_id="i3")
    unlock(context, lock_id="i2")
    assert orders.rights() == before


def test_a_role_that_is_kept_goes_on_writing(orders: Any, context: Any) -> None:
    before = orders.rights()
    done = lock(context, keep=("writer",))
    assert orders.may(INSERT, "writer")
    assert not orders.may(INSERT, "owner")
    assert "writer" in done["can_still_write"]
    unlock(context)
    assert orders.rights() == before
    with pytest.raises(Refused, match="nobody_here"):
        lock(context, keep=("nobody_here",))


def test_grants_upon_grants_come_back_by_whom_they_were_given(orders: Any, context: Any) -> None:
    orders.run("SET ROLE owner; GRANT INSERT, SELECT ON sales.orders TO boss WITH GRANT OPTION")
    orders.run("GRANT INSERT ON sales.orders TO intern", "boss")
    before = orders.rights()
    # repair may not act as boss: then the lock could not be undone exactly, and is refused as a whole
    with pytest.raises(Refused, match="could not be given back"):
        lock(context)
    assert orders.rights() == before
    assert orders.run("SELECT to_regclass('firedamper.table_locks')") == [(None,)]
    orders.run("GRANT boss TO repair")
    done = lock(context)
    assert not orders.may(INSERT, "intern")
    assert not orders.may(INSERT, "boss")
    assert "INSERT on sales.orders: intern" in done["revoked"]
    unlock(context)
    assert orders.rights() == before


def test_what_a_kept_role_has_granted_is_taken_too(orders: Any, context: Any) -> None:
    orders.run("SET ROLE owner; GRANT INSERT, SELECT ON sales.orders TO boss WITH GRANT OPTION")
    orders.run("GRANT INSERT ON sales.orders TO intern", "boss")
    orders.run("GRANT boss TO repair")
    before = orders.rights()
    lock(context, keep=("boss",))
    assert orders.may(INSERT, "boss")
    assert not orders.may(INSERT, "intern")
    unlock(context)
    assert orders.rights() == before


def test_everybody_and_strange_names(orders: Any, context: Any) -> None:
    orders.run('SET ROLE owner; GRANT INSERT ON sales.orders TO PUBLIC; GRANT UPDATE ON sales.orders TO "we""ird %s"')
    evil = 'o"; DROP TABLE other; --%s'
    quoted = evil.replace('"', '""')
    orders.run(f'SET ROLE owner; CREATE TABLE sales."{quoted}" (id int); GRANT INSERT ON sales."{quoted}" TO writer')
    before = orders.rights()
    lock(context)
    assert not orders.may(INSERT, "intern")
    unlock(context)
    assert orders.rights() == before
    done = lock(context, table=f"sales.{evil}")
    assert f"INSERT on sales.{evil}: writer" in done["revoked"]
    unlock(context, table=f"sales.{evil}")
    assert orders.rights() == before
    assert orders.run("SELECT count(*) FROM sales.other") == [(0,)]


def test_what_is_gone_meanwhile_is_named_and_the_rest_comes_back(orders: Any, context: Any) -> None:
    orders.run("SET ROLE owner; GRANT INSERT ON sales.orders TO intern")
    lock(context)
    orders.run("REVOKE ALL ON ALL TABLES IN SCHEMA sales FROM intern; DROP ROLE intern")
    orders.run("SET ROLE owner; ALTER TABLE sales.orders DROP COLUMN note")
    back = unlock(context)
    assert sorted(one["why"] for one in back["not_restored"]) == ["the column note is gone", "the role intern is gone"]
    assert orders.may(INSERT, "writer")
    assert unlock(context)["nothing_to_do"]


def test_a_table_that_was_made_anew_gets_the_rights_by_its_name(orders: Any, context: Any) -> None:
    lock(context)
    orders.run("SET ROLE owner; DROP TABLE sales.orders; CREATE TABLE sales.orders (id int, amount numeric, note text)")
    assert unlock(context)["not_restored"] == []
    assert orders.may(INSERT, "writer")
    lock(context)
    orders.run("DROP TABLE sales.orders")
    with pytest.raises(Refused, match="does not exist"):
        lock(context)
    back = unlock(context)
    assert {one["why"] for one in back["not_restored"]} == {"sales.orders is gone"}


def test_partitions_are_locked_with_their_table(orders: Any, context: Any) -> None:
    orders.run(
        """
        SET ROLE owner;
        CREATE TABLE sales.parts (id int) PARTITION BY RANGE (id);
        CREATE TABLE sales.part_1 PARTITION OF sales.parts FOR VALUES FROM (0) TO (10);
        GRANT INSERT ON sales.parts, sales.part_1 TO writer;
        """
    )
    before = orders.rights()
    lock(context, table="sales.parts")
    assert not orders.may("INSERT INTO sales.parts VALUES (1)", "writer")
    assert not orders.may("INSERT INTO sales.part_1 VALUES (1)", "writer")
    unlock(context, table="sales.parts")
    assert orders.rights() == before


@pytest.mark.parametrize(
    ("sql", "asked", "why"),
    [
        ("SELECT 1", {"table": "hr.salaries"}, "not among the tables"),
        ("SELECT 1", {"table": "sales.nothing"}, "does not exist"),
        ("SELECT 1", {"table": "orders"}, "schema.table"),
        ("SELECT 1", {"table": "sales.orders; DROP TABLE other"}, "does not exist"),
        ("CREATE VIEW sales.v AS SELECT 1 AS x; ALTER VIEW sales.v OWNER TO owner", {"table": "sales.v"}, "is no table"),
        ("CREATE TABLE sales.foreign_owned (id int)", {"table": "sales.foreign_owned"}, "neither the owner"),
    ],
)
def test_refused(orders: Any, context: Any, sql: str, asked: dict[str, Any], why: str) -> None:
    orders.run(sql)
    before = orders.rights()
    for dry in (True, False):
        with pytest.raises(Refused, match=why):
            lock(context, dry_run=dry, **asked)
    assert orders.rights() == before
    assert orders.run("SELECT to_regclass('firedamper.table_locks')") == [(None,)]


def test_a_record_that_others_can_write_is_not_believed(orders: Any, context: Any) -> None:
    lock(context)
    orders.run("GRANT INSERT, UPDATE ON firedamper.table_locks TO writer")
    with pytest.raises(Refused, match="can be written by writer"):
        unlock(context)
    orders.run("REVOKE ALL ON firedamper.table_locks FROM writer")
    orders.run("""UPDATE firedamper.table_locks SET grants = jsonb_set(grants, '{0,privilege}', '"ALL"')""")
    with pytest.raises(Refused, match="changed by somebody"):
        unlock(context)


def test_a_writer_in_the_middle_is_waited_for_and_counted(orders: Any, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg2

    monkeypatch.setattr(locks, "_WAIT_FOR_WRITERS", 0.0)
    busy = psycopg2.connect(orders.dsn("writer"))
    with busy.cursor() as cursor:
        cursor.execute(INSERT)
        assert lock(context)["still_writing"] == 1
    threading.Timer(0.7, busy.rollback).start()
    monkeypatch.setattr(locks, "_WAIT_FOR_WRITERS", 10.0)
    started = time.monotonic()
    assert lock(context)["still_writing"] == 0
    assert 0.3 < time.monotonic() - started < 5
    busy.close()


@pytest.mark.parametrize("fault", ["forgets one", "gives one to another", "says that one is lost"])
def test_a_lock_whose_unlock_would_not_be_exact_is_not_made(
    orders: Any, context: Any, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    before = orders.rights()
    real = grants.give_back

    def wrong(session: Any, some: Any) -> Any:
        listed = [grant for grant in some if grant.grantee != "writer" or grant.privilege != "INSERT"]
        if fault == "gives one to another":
            listed += [replace(grant, grantee="intern") for grant in some if grant not in listed]
        return real(session, some if fault == "says that one is lost" else listed) + ([{"why": "x"}] if "lost" in fault else [])

    monkeypatch.setattr(grants, "give_back", wrong)
    with pytest.raises(Refused, match="could not be given back exactly"):
        lock(context)
    assert orders.rights() == before


def test_a_crash_before_the_commit_leaves_all_as_it_was(orders: Any, context: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = orders.rights()

    def crash(*_: Any) -> None:
        raise ConnectionError("the line is cut")

    monkeypatch.setattr(locks, "_remember", crash)
    with pytest.raises(ConnectionError):
        lock(context)
    assert orders.rights() == before


def test_lock_and_unlock_at_once_wait_for_each_other(orders: Any, context: Any) -> None:
    before = orders.rights()
    errors: list[BaseException] = []

    def act(number: int) -> None:
        try:
            for _ in range(5):
                lock(context, lock_id=f"i{number}")
                unlock(context, lock_id=f"i{number}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert orders.rights() == before
