"""Ends what an earlier run on the same folder left behind. Knows a process by a mark on its command line,
which anyone may read, and never by a number alone: numbers are given out again."""

import os
import signal
import time
from pathlib import Path

PROC = Path("/proc")
# First politely (PostgreSQL would let its clients finish after a SIGTERM), then firmly, then certainly;
# seconds given to each.
STEPS = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 2.0), (signal.SIGKILL, 2.0))


def marked_processes(mark: str) -> list[int]:
    """Processes with the mark on their command line. Empty where there is no /proc."""
    wanted = mark.encode()
    numbers = [int(entry.name) for entry in PROC.glob("[0-9]*")]
    return [pid for pid in numbers if pid != os.getpid() and wanted in _command_line(pid)]


def end_marked(mark: str) -> list[int]:
    """End every process with the mark; returns those that were found. Raises if one cannot be ended."""
    found = marked_processes(mark)
    remaining = found
    for number, seconds in STEPS:
        if not remaining:
            return found
        _signal(remaining, number)
        remaining = _wait_until_gone(mark, seconds)
    if remaining:
        raise RuntimeError(f"Processes {remaining} of an earlier run do not end. End them, then start again.")
    return found


def _command_line(pid: int) -> bytes:
    """Empty for a process that is gone, or a zombie: its parent alone can remove that."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


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


def _wait_until_gone(mark: str, seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while (remaining := marked_processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return remaining
