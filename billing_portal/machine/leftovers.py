"""Ends what an earlier run on the same folder left behind.

A process is known by a mark on its command line, or by its number together with the moment it was started;
never by a number alone, because numbers are given out again. Both can be read of any process, whoever owns it.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

PROC = Path("/proc")
# First politely (PostgreSQL would let its clients finish after a SIGTERM), then firmly, then certainly;
# seconds given to each.
STEPS = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0))


@dataclass(frozen=True)
class ProcessRecord:
    """A child as it was written down. ``started`` counts from the boot named by ``boot``."""

    name: str
    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, name: str, pid: int) -> Self:
        return cls(name, pid, started=_stat(pid).started, boot=_boot())

    @staticmethod
    def dump(records: "Sequence[ProcessRecord]") -> str:
        return json.dumps([asdict(record) for record in records])

    @classmethod
    def load(cls, text: str) -> list[Self]:
        return [cls(**each) for each in json.loads(text)]


@dataclass(frozen=True)
class _Stat:
    """Of one process: the session it belongs to and when it was started. Zeros if it is gone."""

    session: int = 0
    started: int = 0
    zombie: bool = False


def end_marked(mark: str) -> None:
    """End every process with that mark on its command line."""
    wanted = mark.encode()
    _end(lambda: [pid for pid in _all_processes() if wanted in _command_line(pid)])


def end_recorded(records: Sequence[ProcessRecord]) -> list[str]:
    """End those children, and what they had started, that still run. Returns the names of the found."""
    current = [record for record in records if record.boot == _boot()]
    found = [record.name for record in current if _members(record)]
    _end(lambda: [pid for record in current for pid in _members(record)])
    return found


def _members(record: ProcessRecord) -> list[int]:
    """Each child led a session of its own, and a session's number is taken for as long as it has members.
    If its leader is another process now, the session was given out again."""
    leader = _stat(record.pid)
    if leader.started not in (0, record.started):
        return []
    stats = {pid: _stat(pid) for pid in _all_processes()}
    return [pid for pid, stat in stats.items() if stat.session == record.pid and not stat.zombie]


def _end(remaining: Callable[[], list[int]]) -> None:
    for number, seconds in STEPS:
        _signal(remaining(), number)
        deadline = time.monotonic() + seconds
        while remaining():
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"Processes {remaining()} of an earlier run do not end. End them, then start again.")


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        except PermissionError:
            raise RuntimeError(
                f"Process {pid} of an earlier run belongs to another user. End it, then start again."
            ) from None


def _all_processes() -> list[int]:
    """Empty where there is no /proc: there, PostgreSQL itself refuses to start twice on the same data."""
    return [int(entry.name) for entry in PROC.glob("[0-9]*") if int(entry.name) != os.getpid()]


def _command_line(pid: int) -> bytes:
    """Empty for a process that is gone, and for one that only waits to be counted as gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _stat(pid: int) -> _Stat:
    try:
        text = (PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return _Stat()
    fields = text.rpartition(")")[2].split()  # the name in parentheses may hold anything
    return _Stat(session=int(fields[3]), started=int(fields[19]), zombie=fields[0] == "Z")


def _boot() -> str:
    try:
        return (PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
