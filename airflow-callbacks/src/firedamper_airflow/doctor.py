"""``firedamper-airflow doctor``: what this installation has, whether the way to Firedamper is open, and what to do where it is not.

Runs without Airflow too, and says so. No secret is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence
from urllib.parse import urlsplit

from firedamper_airflow import events, links, settings, transport
from firedamper_airflow._version import __version__
from firedamper_airflow.commandline import find_settings
from firedamper_airflow.settings import Settings
from firedamper_airflow.spool import Spool

OK, WARN, FAIL = "ok", "warn", "FAIL"
EXIT = {OK: 0, WARN: 1, FAIL: 2}

#: Firedamper refuses a signature whose time is further away (its default, both ways); half of it is worth a word.
TOLERANCE_SECONDS = 300.0
STEP_SECONDS = 5.0
CERTIFICATE_DAYS = 14


@dataclass(frozen=True)
class Finding:
    level: str
    what: str
    hint: str = ""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(prog="firedamper-airflow", description="Firedamper's package for Airflow.")
    commands = parser.add_subparsers(required=True, metavar="doctor|version")
    look = commands.add_parser(
        "doctor",
        help="what is set, whether Firedamper can be reached, a test event",
        epilog="Exit code: 0 all is well, 1 it works with something to look at, 2 nothing would arrive.",
    )
    look.add_argument("--no-send", action="store_true", help="do not send the test event")
    look.set_defaults(act=lambda parsed: report(examine(os.environ, send=not parsed.no_send)))
    commands.add_parser("version", help="version of this package").set_defaults(act=lambda _: print(__version__) or 0)
    parsed = parser.parse_args(arguments)
    return int(parsed.act(parsed))


def report(found: Iterator[Finding]) -> int:
    worst = OK
    for finding in found:
        print(f"{finding.level:>4}  {finding.what}", flush=True)
        if finding.hint:
            print(f"      -> {finding.hint}", flush=True)
        worst = max(worst, finding.level, key=EXIT.__getitem__)
    verdict = {OK: "all is well", WARN: "it works, with something to look at", FAIL: "nothing would arrive from here"}[worst]
    print(f"{worst:>4}  {verdict}")
    return EXIT[worst]


def examine(environ: Mapping[str, str], send: bool = True) -> Iterator[Finding]:
    """Step by step; what cannot matter any more is not tried."""
    yield Finding(OK, f"airflow-provider-firedamper {__version__}, Python {sys.version.split()[0]}, {sys.prefix}")
    yield from _airflow()
    found = find_settings()
    yield from _settings(environ, found)
    yield from _plugin(found)
    yield from _links(found)
    yield from _spool(found)
    if found.ready:
        yield from _way(found, send)


def _airflow() -> Iterator[Finding]:
    try:
        import airflow

        yield Finding(OK, f"Airflow {airflow.__version__}")
    except Exception as error:
        yield Finding(
            WARN,
            f"Airflow cannot be imported here: {type(error).__name__}: {error}"[:300],
            "run this with the Python that runs Airflow; airflow.cfg is not read without it",
        )


def _settings(environ: Mapping[str, str], found: Settings) -> Iterator[Finding]:
    unset = []
    for variable, key in (*settings.NAMES.items(), ("FIREDAMPER_PUBLIC_URL", "public_url")):
        value, source = source_of(environ, variable, key, settings._airflow_option)
        if value:
            yield Finding(OK, f"{variable} = {_shown(variable, value)} ({source})")
        else:
            unset.append(variable)
    yield Finding(OK, f"not set: {', '.join(unset)}")
    for problem in found.problems:
        yield Finding(FAIL, problem)
    if not found.ready:
        return
    yield Finding(OK, f"events go to {found.endpoint}{' through a proxy' if found.proxy else ''}")
    if not settings.current().ready:
        yield Finding(
            WARN,
            f"address or secret come from the connection {found.conn_id or settings.DEFAULT_CONN_ID}, which only tasks may read",
            "for runs, import errors and assets set them in the environment or airflow.cfg of the scheduler and the DAG processor too",
        )


def _shown(variable: str, value: str) -> str:
    """A proxy's address may hold a password."""
    if variable == "FIREDAMPER_SECRET":
        return "set, not shown"
    return f"***@{value.rpartition('@')[2]}" if "@" in value else value


def source_of(environ: Mapping[str, str], variable: str, key: str, option: Callable[[str], Optional[str]]) -> tuple[str, str]:
    """The value and where it stands, by the same order as ``settings``."""
    if environ.get(variable):
        return environ[variable], "environment"
    value = (option(key) or "").strip()
    for suffix in ("", "_CMD", "_SECRET"):
        name = f"AIRFLOW__FIREDAMPER__{key.upper()}{suffix}"
        if value and environ.get(name):
            return value, f"environment, {name}"
    return value, "[firedamper] in airflow.cfg"


def _plugin(found: Settings) -> Iterator[Finding]:
    try:
        from airflow import plugins_manager

        plugins_manager.ensure_plugins_loaded()
        loaded, broken = _loaded_plugins(plugins_manager)
    except Exception as error:
        yield Finding(WARN, f"Airflow's plugins cannot be looked at: {type(error).__name__}: {error}"[:300])
        return
    mine = next((plugin for plugin in loaded if getattr(plugin, "name", None) == "firedamper"), None)
    if mine is None:
        why = "; ".join(f"{name}: {text}" for name, text in broken.items() if "firedamper" in f"{name}{text}")
        yield Finding(
            FAIL, f"Airflow does not load the plugin{f': {why}' if why else ''}", "is the package installed in this environment?"
        )
    elif mine.listeners:
        yield Finding(OK, "the plugin is loaded and its listener reports every DAG")
    elif found.ready and not found.listener:
        yield Finding(OK, "the plugin is loaded; its listener is switched off (FIREDAMPER_LISTENER)")
    else:
        named = "FIREDAMPER_CONN_ID in the environment or airflow.cfg makes the listener look for the connection"
        yield Finding(
            WARN,
            "the plugin is loaded without its listener: only what DAGs name themselves is reported",
            named if found.ready else "that follows from the settings above",
        )


def _loaded_plugins(manager: Any) -> tuple[Sequence[Any], Mapping[str, str]]:
    if hasattr(manager, "_get_plugins"):  # 3.2 and later
        loaded, broken = manager._get_plugins()
        return loaded, broken
    return manager.plugins or (), manager.import_errors or {}


def _links(found: Settings) -> Iterator[Finding]:
    base, version = links.of_process(), events.airflow_version() or ""
    count = len(links.menu_items(base, found.airflow, version)) + len(links.external_views(base, found.airflow, version))
    if count:
        yield Finding(OK, f"{count} links in Airflow's pages lead to {base}")
    elif base and version:
        yield Finding(OK, f"no links in Airflow's pages: {version} has no place for them")


def _spool(found: Settings) -> Iterator[Finding]:
    spool = Spool(found.spool_dir)
    try:
        waiting, dropped = spool.waiting(), spool.dropped()
        if os.path.isdir(found.spool_dir):
            spool.check_writable()
    except OSError as error:
        yield Finding(
            WARN,
            f"the spool folder {found.spool_dir} cannot be used: {error}",
            "events that cannot be sent are lost until it can; is this the user that runs Airflow?",
        )
        return
    state = "is there" if os.path.isdir(found.spool_dir) else "will be made when something must wait"
    if waiting:
        age = int(time.time() - waiting[0].since)
        yield Finding(
            WARN,
            f"{len(waiting)} events wait in {found.spool_dir}, the oldest for {age} s",
            "firedamper-spool flush sends them now",
        )
    else:
        yield Finding(OK, f"spool folder {found.spool_dir} {state}; nothing waits")
    if dropped:
        yield Finding(WARN, f"{dropped} events had to be dropped since the last one that got through")


def _way(found: Settings, send: bool) -> Iterator[Finding]:
    """DNS, TCP, TLS, HTTP: the first that fails ends it."""
    # Through a proxy its name is all that this machine must resolve and reach.
    host, port = transport.address_of(found.proxy or found.endpoint)
    for step, act in (("name", _resolve), ("connection", _connect)):
        text, hint = _step(lambda act=act: act(host, port), step)  # type: ignore[misc]
        yield Finding(FAIL if hint else OK, text, hint)
        if hint:
            return
    if urlsplit(found.endpoint).scheme == "https" and not found.proxy:
        finding = transport.within(STEP_SECONDS, lambda: _certificate(host, port))
        yield finding or Finding(
            FAIL, f"TLS with {host}:{port}: no answer in {STEP_SECONDS:g} s", "is this a port that speaks TLS?"
        )
        if finding is None or finding.level == FAIL:
            return
    if send:
        yield from _test_event(found)


def _step(act: Callable[[], str], step: str) -> tuple[str, str]:
    def tried() -> tuple[str, str]:
        try:
            return act(), ""
        except Exception as error:  # not only the network's: a host name that no resolver takes is a UnicodeError
            return f"{step}: {type(error).__name__}: {error}", HINTS[step]

    return transport.within(STEP_SECONDS, tried) or (f"{step}: no answer in {STEP_SECONDS:g} s", HINTS[step])


HINTS = {
    "name": "is the host in FIREDAMPER_URL right, and does this machine's resolver know it?",
    "connection": "does Firedamper run and listen on this address (server.listen), and does a firewall or network policy let this "
    "machine through?",
}


def _resolve(host: str, port: int) -> str:
    began = time.monotonic()
    addresses = sorted({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    return f"{host} is {', '.join(addresses)} ({(time.monotonic() - began) * 1000:.0f} ms)"


def _connect(host: str, port: int) -> str:
    began = time.monotonic()
    socket.create_connection((host, port), timeout=transport.CONNECT_TIMEOUT).close()
    return f"{host}:{port} takes connections ({(time.monotonic() - began) * 1000:.0f} ms)"


def _certificate(host: str, port: int) -> Finding:
    try:
        with socket.create_connection((host, port), timeout=transport.CONNECT_TIMEOUT) as plain:
            plain.settimeout(STEP_SECONDS)
            with ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure:
                certificate = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return Finding(
            FAIL,
            f"the certificate of {host}:{port} is not trusted: {error.verify_message}",
            "a company's own authority is named by SSL_CERT_FILE, in the environment of every part of Airflow",
        )
    except Exception as error:
        return Finding(FAIL, f"TLS with {host}:{port}: {type(error).__name__}: {error}", "is this a port that speaks TLS?")
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    days = int((ends - time.time()) // 86400)
    text = f"the certificate of {host}:{port} is trusted, for {days} more days"
    return Finding(WARN, text, "renew it in time") if days < CERTIFICATE_DAYS else Finding(OK, text)


def _test_event(found: Settings) -> Iterator[Finding]:
    event = {**events.test_event(), "event_id": f"fd_test_{os.urandom(8).hex()}"}
    body = json.dumps(event, ensure_ascii=False).encode("utf-8")
    began = time.monotonic()

    def send() -> transport.Reply | str:
        try:
            headers = transport.signed_headers(found.key, event["event_id"], body)
            return transport.exchange(found.endpoint, headers, body, time.monotonic() + found.timeout, 4096, found.proxy)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:300]

    reply = transport.within(found.timeout, send) or f"no answer in {found.timeout:g} s"
    took = f"{(time.monotonic() - began) * 1000:.0f} ms"
    if isinstance(reply, str):
        yield Finding(
            FAIL, f"test event: {reply}", "something takes connections there and does not answer as HTTP; is it Firedamper?"
        )
        return
    yield judge(reply, found, took)
    yield from clocks(reply, time.time())


def judge(reply: transport.Reply, found: Settings, took: str) -> Finding:
    told = _detail(reply)
    answer = f"test event: answered {reply.status}{f' ({told})' if told else ''} in {took}"
    if 200 <= reply.status < 300:
        return Finding(OK, answer)
    return Finding(FAIL, answer, _hint(reply.status, found))


def _hint(status: int, found: Settings) -> str:
    if status in (401, 403):
        return (
            "this secret is not among airflows[].callback_secrets of this Airflow in firedamper.yaml, a proxy changes the body, "
            "or the clocks differ (see below)"
        )
    if status == 404:
        return (
            f"no airflows[].id in firedamper.yaml is {found.airflow!r} (FIREDAMPER_AIRFLOW), or FIREDAMPER_URL lacks the path "
            "below which Firedamper is served"
        )
    if 300 <= status < 400:
        return "a redirect is not followed: set FIREDAMPER_URL to where it leads"
    if status == 429:
        return "Firedamper limits how much one source may send (intake.rate_per_minute); try again in a minute"
    if status >= 500:
        return (
            "Firedamper, or a proxy before it, is in trouble: its log and its /readyz say more. Events wait in the spool meanwhile"
        )
    return "this is not an answer of Firedamper's: what is at this address?"


def clocks(reply: transport.Reply, now: float) -> Iterator[Finding]:
    try:
        theirs = parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return
    away = now - theirs
    # The header counts whole seconds, and the answer took its time.
    if abs(away) <= 2:
        yield Finding(OK, "the clocks agree")
        return
    text = f"this machine's clock is {abs(away):.0f} s {'ahead of' if away > 0 else 'behind'} Firedamper's"
    level = FAIL if abs(away) > TOLERANCE_SECONDS else WARN if abs(away) > TOLERANCE_SECONDS / 2 else OK
    yield Finding(level, text, "signatures are refused at 300 s: let both follow a time server" if level != OK else "")


def _detail(reply: transport.Reply) -> str:
    try:
        told = json.loads(reply.body)
        text = told.get("detail") or told.get("title") or ""
    except (ValueError, AttributeError):
        return ""
    return "".join(sign if sign.isprintable() else " " for sign in str(text)[:200])


if __name__ == "__main__":
    sys.exit(main())
