# ruff: noqa: S608  every name in the SQL goes through Session.name or Session.table, every value through the driver
"""Lock and unlock writes to a table, by REVOKE and GRANT. PostgreSQL only: MySQL and Snowflake give most rights on whole schemas or
through role trees, where taking them from one table cannot be done, or not undone exactly.

What a lock took stands in a table of the same database, written in the transaction that took it: no crash can come between. The
run's result (XCom) says the same to people. A lock is only committed after its own unlock has been rehearsed in that transaction and
has led back to exactly the rights that were there before.
"""

from __future__ import annotations

import json
import time
from typing import Any, Mapping, Sequence

from firedamper_airflow.ops import grants
from firedamper_airflow.ops.allow import AllowedTables, TableName
from firedamper_airflow.ops.database import P, Session, require_postgres, transaction
from firedamper_airflow.ops.grants import Grant, Relation
from firedamper_airflow.ops.refusal import Refused

_WAIT_FOR_WRITERS = 10.0
_WHAT = "locking a table"


def lock(
    conn_id: str, allowed: AllowedTables, state: TableName, keep: Sequence[str], asked: Mapping[str, Any], context: Any
) -> dict[str, Any]:
    table, lock_id, dry = TableName.parse(asked["table"]), str(asked["lock_id"]), bool(asked["dry_run"])
    allowed.check(table)
    _not_the_record(table, state)
    said = {"op": "lock", "table": str(table), "lock_id": lock_id, "dry_run": dry}
    with transaction(conn_id, read_only=dry) as session:
        require_postgres(session, _WHAT)
        relations = _lockable(session, table, keep)
        took = _taken(session, relations, keep)
        others = {"can_still_write": sorted({*grants.who_can_still(session), *_kept(session, relations, keep)})}
        if dry:
            return {**said, **others, "would_revoke": _shown(took), "active_locks": _active(session, state, table)}
        _begin(session, table)
        _ensure_record(session, state)
        took = _taken(session, relations, keep)  # again, now that no other lock or unlock of this table can come between
        _revoke_all(session, relations, took, keep)
        again = _remember(session, state, table, lock_id, took, _run_of(context))
    writing = _wait_for_writers(conn_id, relations)
    return {**said, **others, "revoked": _shown(took), "already_locked": again, "still_writing": writing}


def unlock(conn_id: str, allowed: AllowedTables, state: TableName, asked: Mapping[str, Any], context: Any) -> dict[str, Any]:
    table, lock_id, dry = TableName.parse(asked["table"]), str(asked["lock_id"]), bool(asked["dry_run"])
    allowed.check(table)
    said = {"op": "unlock", "table": str(table), "lock_id": lock_id, "dry_run": dry}
    with transaction(conn_id, read_only=dry) as session:
        require_postgres(session, _WHAT)
        if not dry:
            _begin(session, table)
        active = _active(session, state, table)
        if lock_id not in active:
            if active and not _ever(session, state, table, lock_id):
                raise Refused(f"{table} has no lock {lock_id!r}; it is locked by {', '.join(active)}")
            return {**said, "restored": [], "not_restored": [], "nothing_to_do": True, "still_locked_by": active}
        _trusted(session, state)
        others = [other for other in active if other != lock_id]
        taken = [] if others else _owed(session, state, table)
        if dry:
            return {**said, "would_restore": _shown(taken), "still_locked_by": others}
        lost = grants.give_back(session, taken)
        _release(session, state, table, lock_id, lost, _run_of(context), settled=not others)
        gone = {tuple(sorted((key, str(value)) for key, value in row.items() if key != "why")) for row in lost}
        back = [grant for grant in taken if tuple(sorted((key, str(value)) for key, value in grant.to_json().items())) not in gone]
    return {**said, "restored": _shown(back), "not_restored": lost, "nothing_to_do": False, "still_locked_by": others}


# what can be locked


def _lockable(session: Session, table: TableName, keep: Sequence[str]) -> list[Relation]:
    relation = grants.find(session, table)
    if relation.kind not in ("r", "p"):
        raise Refused(
            f"{table} is no table (kind {relation.kind!r}): views and foreign tables are written through to something else"
        )
    for role in keep:
        if not session.rows(f"SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = {P}", (role,)):
            raise Refused(f"keep_roles names {role}, a role that does not exist")
    relations = grants.with_partitions(session, relation)
    for one in relations:
        if not grants.may_grant_for(session, one):
            raise Refused(
                f"this connection is neither the owner of {one.name} ({one.owner}) nor a member of that role: it cannot take rights away"
            )
    return relations


def _not_the_record(table: TableName, state: TableName) -> None:
    if table == state:
        raise Refused(f"{table} is where the locks are remembered")


def _taken(session: Session, relations: Sequence[Relation], keep: Sequence[str]) -> list[Grant]:
    return sorted(
        (grant for relation in relations for grant in grants.writes(session, relation) if grant.grantee not in keep),
        key=grants._order,
    )


def _kept(session: Session, relations: Sequence[Relation], keep: Sequence[str]) -> set[str]:
    return {str(grant.grantee) for relation in relations for grant in grants.writes(session, relation) if grant.grantee in keep}


def _revoke_all(session: Session, relations: Sequence[Relation], took: Sequence[Grant], keep: Sequence[str]) -> None:
    """Takes the rights away, and goes on only if giving them back, tried in the same transaction, leads to where it began."""
    before = {relation: grants.writes(session, relation) for relation in relations}
    for relation in relations:
        name = relation.name
        grants.revoke(session, relation, [grant for grant in took if (grant.schema, grant.table) == (name.schema, name.table)])
        left = grants.writes(session, relation)
        wanted = {grant for grant in before[relation] if grant.grantee in keep}
        if left != wanted:
            difference = ", ".join(str(grant) for grant in sorted(left ^ wanted, key=grants._order))
            raise Refused(f"the rights on {name} cannot be taken away exactly: {difference}")
    session.run("SAVEPOINT firedamper_rehearsal")
    try:
        lost = grants.give_back(session, took)
    except Exception as error:
        raise Refused(f"what would be taken could not be given back by this connection: {error}") from error
    after = {relation: grants.writes(session, relation) for relation in relations}
    if lost or after != before:
        raise Refused(f"what would be taken could not be given back exactly: {json.dumps(lost)[:500]}")
    session.run("ROLLBACK TO SAVEPOINT firedamper_rehearsal")


def _wait_for_writers(conn_id: str, relations: Sequence[Relation]) -> int:
    """A statement that began before the lock goes on, and what was written may be committed. Waits a little; answers how many are left."""
    deadline = time.monotonic() + _WAIT_FOR_WRITERS
    sql = (
        "SELECT count(DISTINCT pid) FROM pg_catalog.pg_locks WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted"
        f" AND relation IN ({', '.join([P] * len(relations))})"
        " AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())"
    )
    while True:
        with transaction(conn_id, read_only=True) as session:
            count = int(session.one(sql, [relation.oid for relation in relations]))
        if not count or time.monotonic() > deadline:
            return count
        time.sleep(0.5)


# what is remembered


def _begin(session: Session, table: TableName) -> None:
    session.run("SET LOCAL lock_timeout = '10s'")
    # One lock or unlock of one table at a time, whatever DAG or Airflow it comes from; ends with the transaction.
    session.rows(f"SELECT pg_advisory_xact_lock(hashtext('firedamper.ops'), hashtext({P}))", (str(table),))


def _ensure_record(session: Session, state: TableName) -> None:
    if not _exists(session, state):
        if not session.rows(f"SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = {P}", (state.schema,)):
            session.run(f"CREATE SCHEMA IF NOT EXISTS {session.name(state.schema)}")
        session.run(
            f"CREATE TABLE IF NOT EXISTS {session.table(state)} (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
            " locked_table text NOT NULL, lock_id text NOT NULL, state text NOT NULL CHECK (state IN ('locked', 'released', 'restored')),"
            " grants jsonb NOT NULL, not_restored jsonb, locked_at timestamptz NOT NULL DEFAULT now(), locked_by text NOT NULL,"
            " unlocked_at timestamptz, unlocked_by text)"
        )
        session.run(f"REVOKE ALL ON TABLE {session.table(state)} FROM PUBLIC")
    _trusted(session, state)


def _trusted(session: Session, state: TableName) -> None:
    """Whoever can write to the record decides what an unlock grants, so nobody but its owner may."""
    record = grants.find(session, state, "the record of the locks")
    strangers = {str(grant.grantee or "PUBLIC") for grant in grants.writes(session, record) if grant.grantee != record.owner}
    if strangers or not grants.may_grant_for(session, record):
        raise Refused(
            f"{state} can be written by {', '.join(sorted(strangers)) or record.owner}: only the role of this connection may,"
            " because an unlock grants what stands in it"
        )


def _exists(session: Session, state: TableName) -> bool:
    return grants.exists(session, state)


def _active(session: Session, state: TableName, table: TableName) -> list[str]:
    if not _exists(session, state):
        return []
    sql = f"SELECT lock_id FROM {session.table(state)} WHERE locked_table = {P} AND state = 'locked' ORDER BY id"
    return [str(lock_id) for (lock_id,) in session.rows(sql, (str(table),))]


def _ever(session: Session, state: TableName, table: TableName, lock_id: str) -> bool:
    sql = f"SELECT 1 FROM {session.table(state)} WHERE locked_table = {P} AND lock_id = {P}"
    return bool(session.rows(sql, (str(table), lock_id)))


def _owed(session: Session, state: TableName, table: TableName) -> list[Grant]:
    """Everything that locks of this table took and that has not been given back yet."""
    sql = f"SELECT grants::text FROM {session.table(state)} WHERE locked_table = {P} AND state <> 'restored'"
    owed = {Grant.from_json(one) for (text,) in session.rows(sql, (str(table),)) for one in json.loads(text)}
    return sorted(owed, key=grants._order)


def _remember(session: Session, state: TableName, table: TableName, lock_id: str, took: Sequence[Grant], run: str) -> bool:
    """Answers whether this lock was there before; then what it took now (rights granted meanwhile) is added."""
    text = json.dumps([grant.to_json() for grant in took])
    name = session.table(state)
    added = session.run(
        f"UPDATE {name} SET grants = grants || {P}::jsonb WHERE locked_table = {P} AND lock_id = {P} AND state = 'locked'",
        (text, str(table), lock_id),
    )
    if added:
        return True
    session.run(
        f"INSERT INTO {name} (locked_table, lock_id, state, grants, locked_by) VALUES ({P}, {P}, 'locked', {P}::jsonb, {P})",
        (str(table), lock_id, text, run),
    )
    return False


def _release(
    session: Session, state: TableName, table: TableName, lock_id: str, lost: Sequence[Any], run: str, *, settled: bool
) -> None:
    name = session.table(state)
    session.run(
        f"UPDATE {name} SET state = 'released', unlocked_at = now(), unlocked_by = {P}"
        f" WHERE locked_table = {P} AND lock_id = {P} AND state = 'locked'",
        (run, str(table), lock_id),
    )
    if settled:
        session.run(
            f"UPDATE {name} SET state = 'restored', not_restored = {P}::jsonb WHERE locked_table = {P} AND state = 'released'",
            (json.dumps(list(lost)), str(table)),
        )


def _shown(some: Sequence[Grant]) -> list[str]:
    return [str(grant) for grant in some]


def _run_of(context: Any) -> str:
    run = context["dag_run"]
    return f"{run.dag_id} {run.run_id}"[:500]
