# ruff: noqa: S608  every name in the SQL goes through Session.name or Session.table, every value through the driver
"""Who may write to a PostgreSQL table: read, taken away, given back. Every function works in the caller's transaction."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Iterable, Optional

from firedamper_airflow.ops.allow import TableName
from firedamper_airflow.ops.database import P, Session
from firedamper_airflow.ops.refusal import Refused

#: What changes rows. REFERENCES and TRIGGER do not; MAINTAIN (PostgreSQL 17) neither.
WRITES = ("INSERT", "UPDATE", "DELETE", "TRUNCATE")


@dataclass(frozen=True, order=True)
class Grant:
    """One entry of one access list. ``grantee`` None is PUBLIC; ``column`` None is the whole table."""

    schema: str
    table: str
    column: Optional[str]
    privilege: str
    grantee: Optional[str]
    grantor: str
    grantable: bool

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> Grant:
        grant = cls(**{name: row[name] for name in cls.__dataclass_fields__})
        if grant.privilege not in WRITES:
            raise Refused(
                f"the lock's record names the privilege {grant.privilege!r}, which no lock takes: it was changed by somebody"
            )
        return grant

    def __str__(self) -> str:
        column = f" ({self.column})" if self.column else ""
        return f"{self.privilege}{column} on {self.schema}.{self.table}: {self.grantee or 'PUBLIC'}"


@dataclass(frozen=True)
class Relation:
    oid: int
    name: TableName
    kind: str
    owner: str


def find(session: Session, table: TableName, what: str = "table") -> Relation:
    found = session.rows(
        "SELECT c.oid, c.relkind::text, pg_get_userbyid(c.relowner)::text FROM pg_catalog.pg_class c"
        f" JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {P} AND c.relname = {P}",
        (table.schema, table.table),
    )
    if not found:
        raise Refused(
            f"{what} {table} does not exist, or this connection cannot see it (names count exactly, upper and lower case too)"
        )
    oid, kind, owner = found[0]
    return Relation(int(oid), table, str(kind), str(owner))


def exists(session: Session, table: TableName) -> bool:
    return bool(
        session.rows(
            "SELECT 1 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            f" WHERE n.nspname = {P} AND c.relname = {P}",
            (table.schema, table.table),
        )
    )


def with_partitions(session: Session, relation: Relation) -> list[Relation]:
    """The table and all its partitions: rights on these count when somebody writes to them directly."""
    if relation.kind != "p":
        return [relation]
    rows = session.rows(
        f"SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_partition_tree({P}::oid) t"
        " JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY t.level, 1, 2",
        (relation.oid,),
    )
    return [find(session, TableName(str(schema), str(name))) for schema, name in rows]


def writes(session: Session, relation: Relation) -> set[Grant]:
    """Every right to write that somebody has on it, the owner's own included."""
    columns = "pg_get_userbyid(a.grantor)::text, CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee)::text END"
    wanted = f"a.privilege_type IN ({', '.join([P] * len(WRITES))})"
    rows = session.rows(
        f"SELECT NULL::text, {columns}, a.privilege_type, a.is_grantable FROM pg_catalog.pg_class c,"
        f" LATERAL aclexplode(COALESCE(c.relacl, acldefault('r', c.relowner))) a WHERE c.oid = {P} AND {wanted}"
        f" UNION ALL SELECT t.attname::text, {columns}, a.privilege_type, a.is_grantable FROM pg_catalog.pg_attribute t,"
        f" LATERAL aclexplode(t.attacl) a WHERE t.attrelid = {P} AND t.attnum > 0 AND NOT t.attisdropped AND {wanted}",
        (relation.oid, *WRITES, relation.oid, *WRITES),
    )
    name = relation.name
    return {Grant(name.schema, name.table, column, what, to, by, bool(option)) for column, by, to, what, option in rows}


def revoke(session: Session, relation: Relation, taken: Iterable[Grant]) -> None:
    """Takes these away. What stood on a grant option goes with it (CASCADE) and is in ``taken`` too."""
    listed = sorted(taken, key=_order)
    for grant in listed:
        if grant.grantor == relation.owner:
            session.run(_revocation(session, relation, grant))
    me = str(session.one("SELECT current_user::text"))
    for grant in listed:
        # Granted by a role that keeps its own right, so that no CASCADE took it: only in that role's name.
        if grant.grantor != relation.owner and grant in writes(session, relation):
            session.run(f"SET LOCAL ROLE {session.name(grant.grantor)}")
            session.run(_revocation(session, relation, grant))
            session.run(f"SET LOCAL ROLE {session.name(me)}")


def _revocation(session: Session, relation: Relation, grant: Grant) -> str:
    return (
        f"REVOKE {_privilege(session, grant)} ON TABLE {session.table(relation.name)} FROM {_role(session, grant.grantee)} CASCADE"
    )


def give_back(session: Session, grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """Grants exactly these, each by whom it was granted before. Answers those that nobody can give back any more, with the reason."""
    left = sorted(set(grants), key=_order)
    lost: list[dict[str, Any]] = []
    me = str(session.one("SELECT current_user::text"))
    while left:
        later: list[Grant] = []
        for grant in left:
            why = _impossible(session, grant)
            if why:
                lost.append({**grant.to_json(), "why": why})
            elif not _granted(session, grant, me):
                later.append(grant)
        if len(later) == len(left):
            # Nobody is left who could grant these as they were granted; as the owner they would look like his own decision.
            lost.extend({**grant.to_json(), "why": f"{grant.grantor} may not grant it any more"} for grant in later)
            break
        left = later
    return lost


def _granted(session: Session, grant: Grant, me: str) -> bool:
    relation = find(session, TableName(grant.schema, grant.table))
    option = " WITH GRANT OPTION" if grant.grantable and grant.grantee != relation.owner else ""
    statement = (
        f"GRANT {_privilege(session, grant)} ON TABLE {session.table(relation.name)} TO {_role(session, grant.grantee)}{option}"
    )
    if grant.grantor == relation.owner:
        session.run(statement)  # done by the owner, a member of the owner or a superuser, it counts as the owner's
        return True
    right = f"{grant.privilege} WITH GRANT OPTION"
    args = (grant.grantor, relation.oid, *([grant.column] if grant.column else []), right)
    function = (
        f"has_column_privilege({P}::name, {P}::oid, {P}::text, {P})"
        if grant.column
        else f"has_table_privilege({P}::name, {P}::oid, {P})"
    )
    if not session.one(f"SELECT {function}", args):
        return False
    session.run(f"SET LOCAL ROLE {session.name(grant.grantor)}")
    session.run(statement)
    session.run(f"SET LOCAL ROLE {session.name(me)}")
    return True


def _impossible(session: Session, grant: Grant) -> Optional[str]:
    table = TableName(grant.schema, grant.table)
    if not exists(session, table):
        return f"{table} is gone"
    for role in {grant.grantee, grant.grantor} - {None}:
        if not session.rows(f"SELECT 1 FROM pg_catalog.pg_roles WHERE rolname = {P}", (role,)):
            return f"the role {role} is gone"
    if grant.column is not None:
        relation = find(session, table)
        if not session.rows(
            f"SELECT 1 FROM pg_catalog.pg_attribute WHERE attrelid = {P} AND attname = {P} AND NOT attisdropped",
            (relation.oid, grant.column),
        ):
            return f"the column {grant.column} is gone"
    return None


def _privilege(session: Session, grant: Grant) -> str:
    if grant.privilege not in WRITES:
        raise Refused(f"{grant.privilege!r} is no right to write")
    return f"{grant.privilege} ({session.name(grant.column)})" if grant.column is not None else grant.privilege


def _role(session: Session, role: Optional[str]) -> str:
    return "PUBLIC" if role is None else session.name(role)


def _order(grant: Grant) -> tuple[str, ...]:
    return (grant.schema, grant.table, grant.column or "", grant.privilege, grant.grantee or "", grant.grantor)


def who_can_still(session: Session) -> list[str]:
    """Roles that no REVOKE can stop: superusers, and from PostgreSQL 14 the members of pg_write_all_data."""
    everything = (
        "EXISTS (SELECT 1 FROM pg_catalog.pg_roles w WHERE w.rolname = 'pg_write_all_data' AND pg_has_role(r.oid, w.oid, 'MEMBER'))"
    )
    rows = session.rows(
        f"SELECT r.rolname::text FROM pg_catalog.pg_roles r WHERE r.rolcanlogin AND (r.rolsuper OR {everything}) ORDER BY 1"
    )
    return [str(role) for (role,) in rows]


def may_grant_for(session: Session, relation: Relation) -> bool:
    return bool(session.one(f"SELECT pg_has_role({P}::name, 'USAGE')", (relation.owner,)))
