"""One log for many processes: every line begins with the name of the process that wrote it."""

import os
import select
import sys
from collections import deque
from typing import IO

COLOURS = ("36", "33", "32", "35", "34", "96", "93", "92", "95", "94")
# Lines kept while nobody reads; after that the oldest go. A log must never stop the work it tells of.
KEPT_LINES = 10_000
# What a pipe that reports room is sure to take without blocking (PIPE_BUF).
CHUNK = 4096


class Log:
    """Collects the output of the children and writes it to ``stream``."""

    def __init__(self, stream: IO[str] | None = None) -> None:
        stream = stream or sys.stdout
        self._target = stream.fileno()
        self._coloured = stream.isatty() and "NO_COLOR" not in os.environ
        self._waiting: deque[bytes] = deque(maxlen=KEPT_LINES)
        self._unfinished: dict[str, bytes] = {}
        self._colours: dict[str, str] = {}

    def say(self, name: str, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._add(name, line.encode(errors="replace"))
        self.flush()

    def feed(self, name: str, output: bytes) -> None:
        """Output as it comes from a pipe: whole lines are written, the rest waits for its end."""
        *lines, rest = (self._unfinished.pop(name, b"") + output).split(b"\n")
        if rest:
            self._unfinished[name] = rest
        for line in lines:
            self._add(name, line)
        self.flush()

    def finish(self, name: str) -> None:
        """That process will write no more."""
        if rest := self._unfinished.pop(name, b""):
            self._add(name, rest)
        self.flush()

    def flush(self) -> None:
        """Write as much as the reader takes now."""
        while self._waiting and select.select([], [self._target], [], 0)[1]:
            line = self._waiting.popleft()
            try:
                written = os.write(self._target, line[:CHUNK])
            except OSError:  # the reader is gone; the work goes on
                self._waiting.clear()
                return
            if written < len(line):
                self._waiting.appendleft(line[written:])

    def _add(self, name: str, line: bytes) -> None:
        prefix = f"{name:<8} | ".encode()
        if self._coloured:
            colour = self._colours.setdefault(name, COLOURS[len(self._colours) % len(COLOURS)])
            prefix = b"\x1b[" + colour.encode() + b"m" + prefix + b"\x1b[0m"
        self._waiting.append(prefix + line.rstrip(b"\r") + b"\n")
