# ruff: noqa: S608  every name in the SQL goes through Session.name or Session.table, every value through the driver
"""Puts the rows of a backup table in the place of a table's own. PostgreSQL only.

In one transaction, into the table that is there: views, foreign keys, grants, indexes, statistics and publications go on pointing at
it, which a swap by renaming would break. The price is an exclusive lock while the rows are copied: readers wait, and then see all of
the new rows; whatever fails leaves all of the old ones.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Mapping, NamedTuple, Optional

from firedamper_airflow.ops import grants
from firedamper_airflow.ops.allow import AllowedTables, TableName, check_name
from firedamper_airflow.ops.database import P, Session, require_postgres, transaction
from firedamper_airflow.ops.grants import Relation
from firedamper_airflow.ops.refusal import Refused

_NEEDED = ("SELECT", "INSERT", "TRUNCATE")


class Column(NamedTuple):
    name: str
    type: str
    generated: bool
    always: bool  # GENERATED ALWAYS AS IDENTITY: needs OVERRIDING SYSTEM VALUE


def restore(
    conn_id: str, allowed: AllowedTables, backups: AllowedTables, keep_in: Optional[str], asked: Mapping[str, Any]
) -> dict[str, Any]:
    table, backup, dry = TableName.parse(asked["table"]), TableName.parse(asked["backup"], "backup"), bool(asked["dry_run"])
    allowed.check(table)
    backups.check(backup, table)
    if table == backup:
        raise Refused("the backup is the table itself")
    with transaction(conn_id, read_only=dry) as session:
        require_postgres(session, "restoring a table")
        session.run("SET LOCAL row_security = off")  # a policy that hides rows becomes an error instead of a shorter table
        session.run("SET LOCAL lock_timeout = '10s'")
        target, source = grants.find(session, table), grants.find(session, backup, "backup")
        columns = _fitting(session, target, source)
        _nothing_else_happens(session, target)
        there = int(session.one(f"SELECT count(*) FROM {session.table(backup)}"))
        if not there and not asked["allow_empty"]:
            raise Refused(f"the backup {backup} is empty; allow_empty says that this is meant")
        said = {"op": "restore", "table": str(table), "backup": str(backup), "dry_run": dry, "rows_in_backup": there}
        if dry:
            return {**said, "rows_before": _count(session, target), "would_keep_as": keep_in and str(_kept_name(keep_in, table))}
        return {**said, **_replace(session, target, source, columns, there, keep_in)}


def _replace(
    session: Session, target: Relation, source: Relation, columns: list[Column], there: int, keep_in: Optional[str]
) -> dict[str, Any]:
    before_rights = _rights(session, target)
    lent = _lend(session, target)
    name = _only(session, target)
    session.run(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
    before = _count(session, target)
    kept = _keep(session, target, keep_in)
    names = ", ".join(session.name(column.name) for column in columns if not column.generated)
    override = " OVERRIDING SYSTEM VALUE" if any(column.always for column in columns) else ""
    session.run(f"TRUNCATE TABLE {name}")
    copied = session.run(
        f"INSERT INTO {session.table(target.name)} ({names}){override} SELECT {names} FROM {session.table(source.name)}"
    )
    after = _count(session, target)
    if copied != there or after != copied:
        raise Refused(
            f"the backup had {there} rows, {copied} were copied and {after} are there: somebody is changing {source.name}"
        )
    if lent:
        session.run(f"REVOKE {', '.join(lent)} ON TABLE {session.table(target.name)} FROM CURRENT_USER")
    if _rights(session, target) != before_rights:
        raise Refused(f"the rights on {target.name} would not be what they were before")
    return {"rows_before": before, "rows_after": after, "kept_as": kept}


def _fitting(session: Session, target: Relation, source: Relation) -> list[Column]:
    """The columns of the table, or a refusal: the same names with the same types, in whatever order."""
    if target.kind not in ("r", "p"):
        raise Refused(f"{target.name} is no table (kind {target.kind!r})")
    if source.kind not in ("r", "p", "m"):
        raise Refused(f"{source.name} holds no rows of its own (kind {source.kind!r}): a backup is a table or a materialized view")
    wanted, found = _columns(session, target), {column.name: column for column in _columns(session, source)}
    if not wanted:
        raise Refused(f"{target.name} has no columns")
    needed = [column for column in wanted if not column.generated]
    missing = [column.name for column in needed if column.name not in found]
    extra = sorted(found.keys() - {column.name for column in wanted})
    other = [
        f"{one.name} ({one.type}, in the backup {found[one.name].type})"
        for one in needed
        if one.name in found and found[one.name].type != one.type
    ]
    if missing or extra or other:
        raise Refused(
            f"the columns of {source.name} are not those of {target.name}:"
            f" missing in the backup: {', '.join(missing) or 'none'}; only in the backup: {', '.join(extra) or 'none'};"
            f" of another type: {', '.join(other) or 'none'}"
        )
    return wanted


def _columns(session: Session, relation: Relation) -> list[Column]:
    rows = session.rows(
        "SELECT attname::text, format_type(atttypid, atttypmod), attgenerated <> '', attidentity = 'a' FROM pg_catalog.pg_attribute"
        f" WHERE attrelid = {P} AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        (relation.oid,),
    )
    return [Column(*row) for row in rows]


def _nothing_else_happens(session: Session, target: Relation) -> None:
    """Refuses what would reach beyond this table, or beyond its rows."""
    oid = (target.oid,)
    foreign = session.rows(
        "SELECT conrelid::regclass::text, conname::text FROM pg_catalog.pg_constraint"
        f" WHERE contype = 'f' AND confrelid = {P} AND conrelid <> confrelid",
        oid,
    )
    if foreign:
        raise Refused(f"other tables refer to {target.name}: {', '.join(f'{table} ({name})' for table, name in foreign)}")
    triggers = session.rows(
        f"SELECT tgname::text FROM pg_catalog.pg_trigger WHERE tgrelid = {P} AND NOT tgisinternal AND tgenabled <> 'D'", oid
    )
    if triggers:
        raise Refused(f"{target.name} has triggers that a restore would set off: {', '.join(str(name) for (name,) in triggers)}")
    if session.rows(f"SELECT 1 FROM pg_catalog.pg_rewrite WHERE ev_class = {P}", oid):
        raise Refused(f"{target.name} has rules, which would rewrite the restore")
    if target.kind == "r" and session.rows(f"SELECT 1 FROM pg_catalog.pg_inherits WHERE inhparent = {P}", oid):
        raise Refused(f"other tables inherit from {target.name}")
    if not grants.may_grant_for(session, target):
        raise Refused(f"this connection is neither the owner of {target.name} ({target.owner}) nor a member of that role")


def _lend(session: Session, target: Relation) -> list[str]:
    """A lock took the rights of the owner too. In here, unseen by anybody else, the restore gives itself what it lacks."""
    lacking = [right for right in _NEEDED if not session.one(f"SELECT has_table_privilege({P}::oid, {P})", (target.oid, right))]
    if lacking:
        session.run(f"GRANT {', '.join(lacking)} ON TABLE {session.table(target.name)} TO CURRENT_USER")
    return lacking


def _rights(session: Session, target: Relation) -> list[tuple[Any, ...]]:
    return sorted(
        session.rows(
            "SELECT a.grantor::text, a.grantee::text, a.privilege_type, a.is_grantable FROM pg_catalog.pg_class c,"
            f" LATERAL aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) a WHERE c.oid = {P}",
            (target.oid,),
        )
    )


def _keep(session: Session, target: Relation, keep_in: Optional[str]) -> Optional[str]:
    if not keep_in:
        return None
    kept = _kept_name(keep_in, target.name)
    session.run(f"CREATE TABLE {session.table(kept)} AS SELECT * FROM {session.table(target.name)}")
    return str(kept)


def _kept_name(keep_in: str, table: TableName) -> TableName:
    at = datetime.now(timezone.utc).strftime("%Y%m%d%H%M%S")
    # PostgreSQL cuts names at 63 bytes, silently, and would then find the name taken
    stem = table.table.encode()[: 63 - len("_before_") - len(at)].decode(errors="ignore")
    return TableName(check_name(keep_in, "keep_in"), f"{stem}_before_{at}")


def _only(session: Session, target: Relation) -> str:
    # A partitioned table has no rows of its own: ONLY would leave its partitions as they are.
    return session.table(target.name) if target.kind == "p" else f"ONLY {session.table(target.name)}"


def _count(session: Session, target: Relation) -> int:
    return int(session.one(f"SELECT count(*) FROM {session.table(target.name)}"))
