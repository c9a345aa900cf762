"""Settings: environment first, then ``[firedamper]`` in airflow.cfg (or ``AIRFLOW__FIREDAMPER__*``, which is Airflow's own way)."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Callable, Mapping, Optional
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
}


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
    listener: bool = True
    send_success: bool = False
    problems: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        return not self.problems

    def watches(self, dag_id: str) -> bool:
        """Whether the listener reports this DAG. A callback that somebody wrote into a DAG is always sent."""
        if any(fnmatchcase(dag_id, pattern) for pattern in self.ignore_dags):
            return False
        return not self.dags or any(fnmatchcase(dag_id, pattern) for pattern in self.dags)


def load(environ: Mapping[str, str], option: Callable[[str], Optional[str]]) -> Settings:
    """``option`` answers what airflow.cfg says for one key of ``[firedamper]``, or None."""

    def get(name: str) -> str:
        return (environ.get(name) or option(NAMES[name]) or "").strip()

    problems: list[str] = []
    airflow = get("FIREDAMPER_AIRFLOW") or "default"
    endpoint = _endpoint(get("FIREDAMPER_URL"), airflow, problems)
    key = _key(get("FIREDAMPER_SECRET"), problems)
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
        problems=tuple(problems),
    )


_current: Optional[Settings] = None


def current() -> Settings:
    """The settings of this process, read once."""
    global _current
    if _current is None:
        _current = load(os.environ, _airflow_option)
    return _current


def forget() -> None:
    """Reads again at the next use. For tests."""
    global _current, _warned
    _current = None
    _warned = False


_warned = False


def warn_once(settings: Settings) -> None:
    """Says once in this process what is missing; afterwards there is silence, and no effect."""
    global _warned
    if _warned or settings.ready:
        return
    _warned = True
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
