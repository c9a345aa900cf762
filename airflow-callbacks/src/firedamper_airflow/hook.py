"""The connection type ``firedamper``: an alternative to environment variables.

=========  ==============================================================
host       address of Firedamper: a name, or a whole ``https://...`` URL
schema     ``http`` (default) or ``https``
port       8470 where none is given and the host is no URL
password   the callback secret, ``whsec_...``
login      id of this Airflow in firedamper.yaml, where it is not in extra
extra      ``{"airflow": "prod", "proxy": "http://proxy:3128", "timeout": 1, ...}``: any key of ``[firedamper]``
=========  ==============================================================

Read where reading one is allowed and cheap, that is in the processes of tasks and of callbacks, and only when something has failed
(``settings.in_task``). Scheduler and API server, which report runs, and the DAG processor, which reports import errors, need the
environment, airflow.cfg, or a connection in the environment (``AIRFLOW_CONN_FIREDAMPER_DEFAULT``).

Nothing of Airflow is imported before somebody asks for the hook class itself.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Mapping, Optional
from urllib.parse import parse_qsl, unquote, urlsplit

from firedamper_airflow import transport
from firedamper_airflow.events import airflow_version
from firedamper_airflow.guard import complain
from firedamper_airflow.settings import DEFAULT_CONN_ID, NAMES, Settings, load

DEFAULT_PORT = 8470
#: A secrets backend that hangs must not hold a task.
READ_SECONDS = 2.0


def from_environment(environ: Mapping[str, str], conn_id: str) -> Optional[dict[str, str]]:
    """A connection that stands in the environment, in either of Airflow's two forms (2.9-3.3). None where there is none."""
    found = environ.get(f"AIRFLOW_CONN_{conn_id.upper()}")
    if not found:
        return None
    try:
        return options_of(_parts(found.strip()))
    except Exception as error:
        complain(f"AIRFLOW_CONN_{conn_id.upper()} cannot be read as a connection ({type(error).__name__})")
        return None


def from_airflow(conn_id: str) -> Optional[dict[str, str]]:
    """From wherever this Airflow keeps its connections. None where there is none, and where it cannot be read in time (said in the log:
    3.3.2, for one, refuses it to callbacks that run in an executor)."""
    if "airflow" not in sys.modules:
        return None
    # 2.x: in a thread, which has a session of its own: its reader empties the session of its thread (``expunge_all``), and that is the
    # one with which Airflow is about to save the task that failed (2.9-2.11). 3.x: not in a thread, which could be left behind in the
    # middle of a talk with the supervisor.
    in_thread = (airflow_version() or "").startswith("2.")
    try:
        found = transport.within(READ_SECONDS, lambda: _read_quietly(conn_id)) if in_thread else _read(conn_id)
    except Exception as error:
        complain(f"the connection {conn_id} could not be read", error)
        return None
    if found is None and conn_id != DEFAULT_CONN_ID:
        complain(f"there is no connection {conn_id} that could be read")
    return found


def options_of(facts: Mapping[str, Any]) -> dict[str, str]:
    """The parts of a connection as the options of ``[firedamper]``; what it does not say is left out."""
    extra = facts.get("extra") or {}
    found = {name: str(extra[name]) for name in NAMES.values() if extra.get(name) not in (None, "")}
    url = _url(facts)
    if url:
        found["url"] = url
    if facts.get("password"):
        found["secret"] = str(facts["password"])
    if facts.get("login"):
        found.setdefault("airflow", str(facts["login"]))
    found.pop("conn_id", None)
    return found


def _url(facts: Mapping[str, Any]) -> str:
    host, schema, port = str(facts.get("host") or "").strip(), str(facts.get("schema") or "http"), facts.get("port")
    if not host:
        return ""
    if "://" in host:
        parts = urlsplit(host)
        return host if parts.port or not port else parts._replace(netloc=f"{parts.netloc}:{port}").geturl()
    name, slash, path = host.partition("/")
    where = name if ":" in name and not port else f"{name}:{port or DEFAULT_PORT}"
    return f"{schema}://{where}{slash}{path}"


def _read_quietly(conn_id: str) -> Optional[dict[str, str]]:
    # An exception at the end of a thread would be printed into the log of the task, stack and all.
    try:
        return _read(conn_id)
    except BaseException as error:
        complain(f"the connection {conn_id} could not be read", error)
        return None


def _read(conn_id: str) -> Optional[dict[str, str]]:
    try:
        # Its own class asks secrets backends, environment and database, or the supervisor; unlike the hook's it does not log what it found.
        if (airflow_version() or "").startswith("2."):
            from airflow.models.connection import Connection

            found = Connection.get_connection_from_secrets(conn_id)
        else:
            from airflow.sdk import Connection

            found = Connection.get(conn_id)
    except Exception as error:
        if "NotFound" in type(error).__name__ or "isn't defined" in str(error):
            return None
        raise
    extra = json.loads(found.extra) if found.extra else {}
    facts = {name: getattr(found, name, None) for name in ("host", "schema", "port", "login", "password")}
    return options_of({**facts, "extra": extra if isinstance(extra, dict) else {}})


def _parts(found: str) -> dict[str, Any]:
    if found.startswith("{"):
        facts = json.loads(found)
        extra = facts.get("extra") or {}
        return {**facts, "extra": json.loads(extra) if isinstance(extra, str) else extra}
    parts = urlsplit(found)
    query = dict(parse_qsl(parts.query))
    extra = json.loads(query["__extra__"]) if "__extra__" in query else query
    # A host with its own scheme is written type://scheme://host (Airflow's get_uri, 2.9-3.3).
    protocol, own, rest = found.split("://", 1)[1].partition("://")
    told = _network(urlsplit(f"x://{rest}" if own else found))
    return {**told, "host": f"{protocol}://{told['host']}" if own else told["host"], "extra": extra}


def _network(parts: Any) -> dict[str, Any]:
    # Not parts.hostname, which is in lower case: a path may stand in the host, quoted.
    host = parts.netloc.rpartition("@")[2]
    host = host[: -len(f":{parts.port}")] if parts.port else host
    told = {"login": parts.username, "password": parts.password, "host": host, "schema": parts.path.strip("/")}
    return {**{name: unquote(value or "") for name, value in told.items()}, "port": parts.port}


def _hook_class() -> Any:
    try:
        from airflow.sdk import BaseHook as Base
    except ImportError:
        from airflow.hooks.base import BaseHook as Base  # 2.9-3.0

    class FiredamperHook(Base):  # type: ignore[misc,unused-ignore]
        """What Airflow's connection page needs to know; and ``settings()`` for code that wants what the connection says."""

        conn_name_attr = "firedamper_conn_id"
        default_conn_name = DEFAULT_CONN_ID
        conn_type = "firedamper"
        hook_name = "Firedamper"

        def __init__(self, firedamper_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.firedamper_conn_id = firedamper_conn_id

        @staticmethod
        def get_ui_field_behaviour() -> dict[str, Any]:
            return {
                "hidden_fields": [],
                "relabeling": {"password": "Secret", "login": "Airflow id", "schema": "Scheme"},
                "placeholders": {
                    "host": "firedamper.example",
                    "schema": "http",
                    "port": str(DEFAULT_PORT),
                    "login": "the id of this Airflow in firedamper.yaml",
                    "password": "whsec_...",
                    "extra": '{"proxy": "http://proxy:3128"}',
                },
            }

        def settings(self) -> Settings:
            return load({}, lambda _: None, from_airflow(self.firedamper_conn_id))

        def get_conn(self) -> Settings:
            return self.settings()

        def test_connection(self) -> tuple[bool, str]:
            """Behind the Test button (off by default in Airflow): sends a signed test event and says what came back."""
            from firedamper_airflow import events, sender

            found = self.settings()
            if not found.ready:
                return False, "; ".join(found.problems)
            outcome = sender.Sender(found).try_once(events.test_event())
            return outcome.result == "sent", outcome.detail

    FiredamperHook.__module__ = __name__
    FiredamperHook.__qualname__ = "FiredamperHook"
    return FiredamperHook


def __getattr__(name: str) -> Any:
    # The class needs Airflow's own; reading a connection from the environment does not.
    if name == "FiredamperHook":
        found = globals()[name] = _hook_class()
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
