"""Settings: environment first, then ``[firedamper]`` in airflow.cfg (or ``AIRFLOW__FIREDAMPER__*``, which is Airflow's own way), then a
connection, where one may be read (``hook``)."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Callable, Mapping, Optional, Sequence
from urllib.parse import quote, urlsplit

from firedamper_airflow import signing
from firedamper_airflow.guard import complain

MAX_TIMEOUT = 3.0
MIN_TIMEOUT = 0.2

# environment variable -> option in [firedamper]
NAMES = {
    "FIREDAMPER_URL": "url",
    "FIREDAMPER_SECRET": "secret",
    "FIREDAMPER_AIRFLOW": "airflow",
    "FIREDAMPER_SPOOL_DIR": "spool_dir",
    "FIREDAMPER_TIMEOUT": "timeout",
    "FIREDAMPER_DAGS": "dags",
    "FIREDAMPER_IGNORE_DAGS": "ignore_dags",
    "FIREDAMPER_LISTENER": "listener",
    "FIREDAMPER_SEND_SUCCESS": "send_success",
    "FIREDAMPER_SEND_ASSETS": "send_assets",
    "FIREDAMPER_TAGS": "tags",
    "FIREDAMPER_IGNORE_TAGS": "ignore_tags",
    "FIREDAMPER_PROXY": "proxy",
    "FIREDAMPER_CONN_ID": "conn_id",
}

DEFAULT_CONN_ID = "firedamper_default"


@dataclass(frozen=True)
class Settings:
    """What this installation was told. ``problems`` is empty where it can send."""

    endpoint: str = ""
    airflow: str = "default"
    key: bytes = field(default=b"", repr=False)
    spool_dir: str = ""
    #: Seconds, connect included, for one event with everything around it. A service that hangs costs a task this much, once.
    timeout: float = MAX_TIMEOUT
    dags: tuple[str, ...] = ()
    ignore_dags: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    ignore_tags: tuple[str, ...] = ()
    listener: bool = True
    send_success: bool = False
    send_assets: bool = False
    #: Address of a proxy; empty: none is used, whatever the environment says.
    proxy: str = field(default="", repr=False)
    #: Named by the installation; empty: none is, and only what somebody wrote into a DAG looks for ``firedamper_default``.
    conn_id: str = ""
    problems: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it can send, from any process."""
        return not self.problems

    @property
    def listens(self) -> bool:
        """Whether the listener has anything to do in this Airflow: also where only tasks will know where to send to."""
        return self.listener and (self.ready or bool(self.conn_id))

    def watches(self, dag_id: Optional[str], tags: Optional[Sequence[str]] = None) -> bool:
        """Whether the listener reports this DAG. A callback that somebody wrote into a DAG is always sent.

        ``tags`` None: they are not known where this happens. Then they exclude nothing: a failure too many is looked at and closed,
        one that was never told is not.
        """
        if dag_id and any(fnmatchcase(dag_id, pattern) for pattern in self.ignore_dags):
            return False
        if dag_id and self.dags and not any(fnmatchcase(dag_id, pattern) for pattern in self.dags):
            return False
        if tags is None:
            return True
        if any(fnmatchcase(tag, pattern) for tag in tags for pattern in self.ignore_tags):
            return False
        return not self.tags or any(fnmatchcase(tag, pattern) for tag in tags for pattern in self.tags)


def load(
    environ: Mapping[str, str], option: Callable[[str], Optional[str]], connection: Optional[Mapping[str, str]] = None
) -> Settings:
    """``option`` answers what airflow.cfg says for one key of ``[firedamper]``, or None. ``connection``: the same keys, from one."""
    least = connection or {}

    def get(name: str) -> str:
        return (environ.get(name) or option(NAMES[name]) or least.get(NAMES[name]) or "").strip()

    problems: list[str] = []
    airflow = get("FIREDAMPER_AIRFLOW") or "default"
    endpoint = _endpoint(get("FIREDAMPER_URL"), airflow, problems)
    key = _key(get("FIREDAMPER_SECRET"), problems)
    proxy = _proxy(get("FIREDAMPER_PROXY"), problems)
    return Settings(
        endpoint=endpoint,
        airflow=airflow,
        key=key,
        spool_dir=get("FIREDAMPER_SPOOL_DIR") or _default_spool(environ),
        timeout=_timeout(get("FIREDAMPER_TIMEOUT")),
        dags=_patterns(get("FIREDAMPER_DAGS")),
        ignore_dags=_patterns(get("FIREDAMPER_IGNORE_DAGS")),
        listener=_switch(get("FIREDAMPER_LISTENER"), default=True),
        send_success=_switch(get("FIREDAMPER_SEND_SUCCESS"), default=False),
        send_assets=_switch(get("FIREDAMPER_SEND_ASSETS"), default=False),
        tags=_patterns(get("FIREDAMPER_TAGS")),
        ignore_tags=_patterns(get("FIREDAMPER_IGNORE_TAGS")),
        proxy=proxy,
        conn_id=get("FIREDAMPER_CONN_ID"),
        problems=tuple(problems),
    )


_current: Optional[Settings] = None
_in_task: Optional[Settings] = None


def current() -> Settings:
    """The settings of this process, read once. Asks no database and no API server: right in every process, import included. A
    connection counts only where it stands in the environment (``AIRFLOW_CONN_...``)."""
    global _current
    if _current is None:
        found = load(os.environ, _airflow_option)
        if not found.ready:
            from firedamper_airflow import hook

            told = hook.from_environment(os.environ, found.conn_id or DEFAULT_CONN_ID)
            found = load(os.environ, _airflow_option, told) if told else found
        _current = found
    return _current


def in_task(*, asked_for: bool) -> Settings:
    """As ``current``, and where that does not suffice from the connection, once in this process. Only for processes that run a task, or
    a callback in the DAG processor: in the scheduler and the API server reading a connection queries within, and can end, the
    transaction that Airflow called us in (2.9-3.3). ``asked_for``: somebody wrote us into this DAG; otherwise the installation must
    have named the connection, so that one without any settings stays without effect."""
    global _in_task
    found = current()
    if found.ready or not (found.conn_id or asked_for):
        return found
    if _in_task is None:
        from firedamper_airflow import hook

        told = hook.from_airflow(found.conn_id or DEFAULT_CONN_ID)
        _in_task = load(os.environ, _airflow_option, told) if told else found
    return _in_task


def forget() -> None:
    """Reads again at the next use. For tests."""
    global _current, _in_task, _warned
    _current = _in_task = None
    _warned = False


_warned = False


def warn_once(settings: Settings) -> None:
    """Says once in this process what is missing; afterwards there is silence, and no effect."""
    global _warned
    if _warned or settings.ready:
        return
    _warned = True
    if settings.conn_id:
        where = f"only tasks report, by the connection {settings.conn_id}: nothing else may read one (runs, import errors, assets)"
        complain(f"{where}; " + "; ".join(settings.problems))
    else:
        complain("nothing is reported: " + "; ".join(settings.problems))


def _endpoint(url: str, airflow: str, problems: list[str]) -> str:
    if not url:
        problems.append("set FIREDAMPER_URL (or [firedamper] url) to the address of Firedamper, such as http://firedamper:8470")
        return ""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.username is not None or parts.query or parts.fragment:
        problems.append("FIREDAMPER_URL is no plain http or https address, such as http://firedamper:8470")
        return ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}/v1/callbacks/airflow/{quote(airflow, safe='')}"


def _key(secret: str, problems: list[str]) -> bytes:
    if not secret:
        problems.append(
            "set FIREDAMPER_SECRET (or [firedamper] secret) to the callback secret that Firedamper has for this Airflow"
        )
        return b""
    try:
        return signing.key_from(secret)
    except signing.BadSecret as error:
        problems.append(f"FIREDAMPER_SECRET cannot be used: {error}")
        return b""


def _proxy(url: str, problems: list[str]) -> str:
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        good = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0 and parts.path in ("", "/")
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment:
        # Not around it: who names a proxy does not want a direct connection.
        problems.append("FIREDAMPER_PROXY is no address of a proxy, such as http://proxy:3128")
        return ""
    return url.rstrip("/")


def _timeout(text: str) -> float:
    if not text:
        return MAX_TIMEOUT
    try:
        seconds = float(text)
    except ValueError:
        seconds = float("nan")
    if MIN_TIMEOUT <= seconds <= MAX_TIMEOUT:
        return seconds
    complain(f"FIREDAMPER_TIMEOUT is {MIN_TIMEOUT} to {MAX_TIMEOUT} seconds; using {MAX_TIMEOUT}")
    return MAX_TIMEOUT


def _patterns(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _switch(text: str, default: bool) -> bool:
    return default if not text else text.lower() in ("1", "true", "yes", "on")


def _default_spool(environ: Mapping[str, str]) -> str:
    """Below AIRFLOW_HOME, where volumes are usually mounted; a private folder of this user where that cannot be written."""
    home = environ.get("AIRFLOW_HOME") or os.path.join(os.path.expanduser("~"), "airflow")
    if os.path.isdir(home) and os.access(home, os.W_OK):
        return os.path.join(home, "firedamper-spool")
    return os.path.join(tempfile.gettempdir(), f"firedamper-spool-{os.geteuid()}")


def _airflow_option(name: str) -> Optional[str]:
    # Without Airflow (tests, tools) the environment is all there is. Airflow's own reader also knows _cmd and _secret variants.
    try:
        from airflow.configuration import conf

        value = conf.get("firedamper", name, fallback=None)
    except Exception:
        return None
    return value if isinstance(value, str) else None
