"""``firedamper-spool``: what waits on this machine, and sending it now instead of behind the next event."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any, Optional, Sequence

from firedamper_airflow import transport
from firedamper_airflow.commandline import find_settings
from firedamper_airflow.settings import Settings
from firedamper_airflow.spool import Spool, Waiting

DEFAULT_SECONDS = 60.0
LOCK_POLL_SECONDS = 0.2
#: Where the answer does not say when to come back.
BUSY_SECONDS = 5.0

GONE, STAY, UNUSABLE = 0, 1, 2


@dataclass
class Flushed:
    sent: int = 0
    #: Refused for good, or not readable as events: dropped, and counted in the spool.
    refused: int = 0
    #: Why it ended before the end. Empty where it did not.
    stopped: str = ""
    statuses: Counter[str] = field(default_factory=Counter)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parsed = _parser().parse_args(arguments)
    found = find_settings()
    if parsed.folder:
        found = replace(found, spool_dir=parsed.folder)
    try:
        return int(parsed.act(found, parsed))
    except OSError as error:
        print(f"{found.spool_dir}: {error}", file=sys.stderr)
        return UNUSABLE


def list_waiting(found: Settings, parsed: argparse.Namespace) -> int:
    spool = Spool(found.spool_dir)
    waiting = spool.waiting()
    if parsed.json:
        print(json.dumps([_row(spool, item) for item in waiting], ensure_ascii=False))
        return GONE
    print(
        f"{found.spool_dir}: {_events(len(waiting))}, {sum(item.size for item in waiting)} bytes, {spool.dropped()} dropped so far"
    )
    for item in waiting[: parsed.limit]:
        row = _row(spool, item)
        print("  ".join(str(row[name]) for name in ("since", "kind", "dag_id", "run_id", "task_id") if row.get(name)))
    if len(waiting) > parsed.limit:
        print(f"... and {len(waiting) - parsed.limit} more (--limit)")
    return GONE


def flush_all(found: Settings, parsed: argparse.Namespace) -> int:
    if not found.ready:
        print("nothing can be sent: " + "; ".join(found.problems), file=sys.stderr)
        return UNUSABLE
    done = flush(found, parsed.seconds)
    left = len(Spool(found.spool_dir).waiting())
    why = f" ({', '.join(f'{count} answered {status}' for status, count in done.statuses.items())})" if done.statuses else ""
    print(f"sent {done.sent}, refused for good {done.refused}{why}, still waiting {left}")
    if done.stopped:
        print(f"stopped: {done.stopped}", file=sys.stderr)
    return STAY if left else GONE


def flush(found: Settings, seconds: float) -> Flushed:
    """Everything that waits, oldest first, until it is gone, the time is over, or Firedamper takes no more."""
    until = time.monotonic() + seconds
    done, spool = Flushed(), Spool(found.spool_dir)
    while spool.oldest(1):
        with spool.turn() as mine:
            if mine:
                _flush(found, spool, until, done)
                return done
        # A task that sends at this moment holds the lock for a second or so.
        if time.monotonic() >= until:
            done.stopped = "another process is sending what waits here, or the folder is not this user's"
            return done
        time.sleep(LOCK_POLL_SECONDS)
    return done


def _flush(found: Settings, spool: Spool, until: float, done: Flushed) -> None:
    dropped = spool.dropped()
    for item in spool.waiting():
        event = spool.read(item.name)
        if event is None:
            done.refused += 1
            continue
        status, done.stopped = _send(found, {**event, "dropped_events": dropped}, until)
        if done.stopped:
            return
        if status in transport.HOPELESS:
            spool.drop(item.name)
            done.refused += 1
            done.statuses[str(status)] += 1
            continue
        spool.remove(item.name)
        done.sent += 1
        if dropped:
            spool.forget_dropped(dropped)
            dropped = 0


def _send(found: Settings, event: dict[str, Any], until: float) -> tuple[int, str]:
    """The status of an answer that settles it, or why it stays. A service that asks for a pause gets it, while there is time."""
    while time.monotonic() < until:
        reply = _post(found, event)
        if isinstance(reply, str):
            return 0, reply
        if 200 <= reply.status < 300 or reply.status in transport.HOPELESS:
            return reply.status, ""
        pause = _pause(reply)
        if reply.status not in (429, 503) or time.monotonic() + pause >= until:
            return reply.status, f"answered {reply.status}"
        time.sleep(pause)
    return 0, "the time is over (--seconds)"


def _post(found: Settings, event: dict[str, Any]) -> transport.Reply | str:
    body = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    def send() -> transport.Reply | str:
        try:
            headers = transport.signed_headers(found.key, event["event_id"], body)
            return transport.exchange(found.endpoint, headers, body, time.monotonic() + found.timeout, proxy=found.proxy)
        except Exception as error:
            return f"{type(error).__name__}: {error}"[:200]

    return transport.within(found.timeout, send) or f"no answer in {found.timeout:g} s"


def _pause(reply: transport.Reply) -> float:
    try:
        return max(0.1, float(reply.headers.get("retry-after", "")))
    except ValueError:
        return BUSY_SECONDS


def _row(spool: Spool, item: Waiting) -> dict[str, Any]:
    try:
        event = spool.peek(item.name)
    except FileNotFoundError:  # sent meanwhile
        event = None
    facts = {name: (event or {}).get(name) for name in ("event_id", "kind", "dag_id", "run_id", "task_id")}
    since = datetime.fromtimestamp(item.since, timezone.utc).isoformat(timespec="seconds")
    return {"since": since, "bytes": item.size, **facts, "kind": facts["kind"] or "not readable", "file": item.name}


def _events(count: int) -> str:
    return "nothing waits" if not count else f"{count} event{'s' if count > 1 else ''} waiting"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="firedamper-spool", description="Events that Firedamper has not been told yet.")
    commands = parser.add_subparsers(required=True, metavar="list|flush")
    show = commands.add_parser("list", help="what waits, oldest first")
    show.add_argument("--limit", type=int, default=20, metavar="N", help="lines (20)")
    show.add_argument("--json", action="store_true", help="all of it, as JSON")
    show.set_defaults(act=list_waiting)
    send = commands.add_parser(
        "flush", help="send all that waits", epilog="Exit code: 0 nothing waits any more, 1 something stays, 2 cannot be used."
    )
    send.add_argument("--seconds", type=float, default=DEFAULT_SECONDS, metavar="S", help=f"at most so long ({DEFAULT_SECONDS:g})")
    send.set_defaults(act=flush_all)
    for command in (show, send):
        command.add_argument("--folder", metavar="DIR", help="another spool folder than the configured one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
