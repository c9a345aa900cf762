"""What could not be sent waits on disk: one JSON file per event, never half written, never more than the caps.

The files hold events, not signatures: time and MAC are made anew for each try, and the secret is never on disk. Many task processes
share the folder; a file lock makes one of them the flusher, and everything works without it, because the service knows each event
by its id.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import time
from dataclasses import dataclass
from typing import Any, Iterator, Optional

MAX_FILES = 1000
MAX_BYTES = 50 * 1024 * 1024
MAX_EVENT_BYTES = 256 * 1024
STALE_TEMP_SECONDS = 3600

_SUFFIX = ".json"
_DROPPED = "dropped"
_LOCK = "lock"


def _waits(name: str) -> bool:
    """An event, and not a file that is being written."""
    return name.endswith(_SUFFIX) and not name.startswith(".")


@dataclass(frozen=True)
class Waiting:
    name: str
    size: int
    #: Seconds since 1970, from the file's name: a copied folder keeps its order.
    since: float


@dataclass(frozen=True)
class Spool:
    folder: str
    max_files: int = MAX_FILES
    max_bytes: int = MAX_BYTES

    def keep(self, event: dict[str, Any]) -> None:
        """Stores one event, durably. Raises OSError where the disk does not take it."""
        self._open_folder()
        body = json.dumps(event, ensure_ascii=False).encode("utf-8")
        # The name sorts by age and tells the size, so that keeping an event costs one listing and not a look at each file: a thousand
        # failures at once are written by one thread of the scheduler. The id keeps the same event from lying here twice.
        end = f"-{event['event_id']}{_SUFFIX}"
        name = f"{time.time_ns():020d}-{len(body):07d}{end}"
        temp = os.path.join(self.folder, f".{name}.{os.getpid()}.{time.monotonic_ns()}.tmp")
        try:
            with open(temp, "xb") as file:
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            os.rename(temp, os.path.join(self.folder, name))
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temp)
            raise
        there = os.listdir(self.folder)
        twins = [other for other in there if other.endswith(end) and _waits(other)]
        if len(twins) > 1:
            self._keep_one(twins)
            there = os.listdir(self.folder)
        self._keep_caps(there)

    def oldest(self, count: int) -> list[str]:
        return self._files()[:count]

    def read(self, name: str) -> Optional[dict[str, Any]]:
        """The event in that file; None (and the file is gone, counted as dropped) where it cannot be read as one."""
        try:
            event = self.peek(name)
        except FileNotFoundError:
            return None
        if event is None:
            self.drop(name)
        return event

    def peek(self, name: str) -> Optional[dict[str, Any]]:
        """The event in that file, which stays as it is whatever it holds; None where it cannot be read as one."""
        try:
            with open(os.path.join(self.folder, name), "rb") as file:
                event = json.loads(file.read(MAX_EVENT_BYTES + 1))
        except FileNotFoundError:
            raise
        except (OSError, ValueError):
            return None
        return event if isinstance(event, dict) and isinstance(event.get("event_id"), str) else None

    def waiting(self) -> list[Waiting]:
        """All that wait, oldest first. Raises OSError where the folder is there and cannot be looked at."""
        found = []
        for name in self._files():
            with contextlib.suppress(FileNotFoundError):
                size = os.stat(os.path.join(self.folder, name)).st_size
                stamp = name.split("-", 1)[0]
                found.append(Waiting(name, size, int(stamp) / 1e9 if stamp.isdigit() else 0.0))
        return found

    def remove(self, name: str) -> bool:
        """False where somebody else was faster."""
        try:
            os.unlink(os.path.join(self.folder, name))
        except FileNotFoundError:
            return False
        return True

    def drop(self, name: str) -> None:
        if self.remove(name):
            self.count_dropped(1)

    def check_writable(self) -> None:
        """Raises OSError where this user could keep nothing here."""
        self._open_folder()
        temp = os.path.join(self.folder, f".probe.{os.getpid()}.tmp")
        try:
            with open(temp, "xb") as file:
                file.write(b".")
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temp)

    def count_dropped(self, count: int) -> None:
        """One byte per dropped event at the end of a file: appending needs no lock and survives a crash."""
        self._open_folder()
        fd = os.open(os.path.join(self.folder, _DROPPED), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(fd, b"." * count)
        finally:
            os.close(fd)

    def dropped(self) -> int:
        try:
            return os.stat(os.path.join(self.folder, _DROPPED)).st_size
        except OSError:
            return 0

    def forget_dropped(self, count: int) -> None:
        """After they were told. A drop between reading and cutting can be lost: a count that is one too low, nothing else."""
        path = os.path.join(self.folder, _DROPPED)
        with contextlib.suppress(OSError):
            os.truncate(path, max(0, os.stat(path).st_size - count))

    @contextlib.contextmanager
    def turn(self) -> Iterator[bool]:
        """True for the one process that may flush and tell the dropped count. Never waits; the system frees it when a process dies."""
        fd = self._try_lock()
        try:
            yield fd is not None
        finally:
            if fd is not None:
                os.close(fd)

    def _try_lock(self) -> Optional[int]:
        import fcntl

        if not os.path.isdir(self.folder):
            return None
        fd: Optional[int] = None
        try:
            self._check_owner()
            fd = os.open(os.path.join(self.folder, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if fd is not None:
                os.close(fd)
            return None
        return fd

    def _open_folder(self) -> None:
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        self._check_owner()

    def _check_owner(self) -> None:
        # In a shared temporary folder somebody else may have made it first, to read what we write or to have events sent in our name.
        parent = os.path.dirname(os.path.abspath(self.folder))
        shared = os.stat(parent).st_mode & stat.S_IWOTH != 0
        found = os.lstat(self.folder) if shared else os.stat(self.folder)
        if not stat.S_ISDIR(found.st_mode):
            raise NotADirectoryError(f"{self.folder} is no folder")
        if shared and found.st_uid not in (os.geteuid(), 0):
            raise PermissionError(f"{self.folder} belongs to somebody else")

    def _files(self) -> list[str]:
        try:
            return sorted(filter(_waits, os.listdir(self.folder)))
        except FileNotFoundError:
            return []

    def _keep_one(self, twins: list[str]) -> None:
        """Of the same event, said twice, the one with more words, at the age of the first. Two processes may say it at the same instant
        (3.3.2: the scheduler's listener and the DAG processor's callback of one failed run), so everybody looks after writing, and all go
        by one order: were each to remove what it saw before, both could go."""
        with contextlib.suppress(FileNotFoundError):  # somebody has just sent it, or moved it here
            best, *rest = sorted(twins, key=lambda name: (-self._size(name), name))
            for name in rest:
                self.remove(name)
            first = min(twins)
            if first != best:
                # Of another size than the one that had this age, so nobody else takes it for that one.
                aged = first.split("-", 1)[0] + best[best.index("-") :]
                os.rename(os.path.join(self.folder, best), os.path.join(self.folder, aged))

    def _size(self, name: str) -> int:
        parts = name.split("-", 2)
        if len(parts) == 3 and len(parts[0]) == 20 and len(parts[1]) >= 7 and parts[1].isdigit():
            return int(parts[1])
        # It was put there by hand, or written before sizes stood in names.
        return os.stat(os.path.join(self.folder, name)).st_size

    def _keep_caps(self, there: list[str]) -> None:
        """Oldest out. Two processes at once may both look; each file is counted by the one that removed it."""
        files = list(filter(_waits, there))
        for name in there:
            if name.endswith(".tmp"):
                self._drop_stale(name)
        # Below this there is nothing to add up, unless somebody put a larger file there by hand.
        if len(files) <= self.max_files and len(files) * MAX_EVENT_BYTES <= self.max_bytes:
            return
        sizes = {}
        for name in files:
            with contextlib.suppress(OSError):
                sizes[name] = self._size(name)
        count, total = len(sizes), sum(sizes.values())
        if count <= self.max_files and total <= self.max_bytes:
            return
        for name in sorted(sizes)[:-1]:
            if count <= self.max_files and total <= self.max_bytes:
                return
            self.drop(name)
            count, total = count - 1, total - sizes[name]

    def _drop_stale(self, name: str) -> None:
        with contextlib.suppress(OSError):
            path = os.path.join(self.folder, name)
            if time.time() - os.stat(path).st_mtime > STALE_TEMP_SECONDS:
                os.unlink(path)
