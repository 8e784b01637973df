"""Keeps children running: collects what they write, starts again what died, stops all of it in time."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from billing_portal.machine.log import Log
from billing_portal.machine.spawn import Command, signal_group, spawn

# A child that dies is started again after this long, doubling while it dies young.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 15.0
YOUNG = 30.0
# Seconds given to the polite and to the firm signal. Two rounds of stopping fit into ten seconds.
STOP_STEPS = ((None, 2.5), (signal.SIGQUIT, 0.7), (signal.SIGKILL, 0.8))


class Stopped(Exception):
    """Somebody asked for the end while something was waited for."""


class Failed(Exception):
    """What cannot be mended by starting it again."""


@dataclass
class Child:
    """One program that has to run. ``prepare`` is asked anew before each start."""

    name: str
    prepare: Callable[[], Command]
    command: Command | None = None
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    deaths: int = 0
    start_again_at: float | None = None


class Supervisor:
    """``on_change`` hears whenever a child was started, where it cannot be told (a disk is full) a little later; the
    clock is the monotonic one."""

    def __init__(self, log: Log, on_change: Callable[[dict[str, int]], None]) -> None:
        self.log = log
        self.children: list[Child] = []
        self.stop_requested = False
        self._on_change = on_change
        self._is_untold = False
        self._launcher: int | None = None
        self._selector = selectors.DefaultSelector()

    @property
    def pids(self) -> dict[str, int]:
        return {child.name: child.process.pid for child in self.children if child.process}

    def listen_to_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._request_stop)

    def follow_launcher(self) -> None:
        """``uv run`` stays our parent and passes signals on. Killed, it cannot: then we stop with it."""
        parent = os.getppid()
        if launcher_name(parent) == "uv":
            self._launcher = parent

    def start(self, child: Child) -> None:
        self.children.append(child)
        self._start(child)

    def run_once(self, name: str, command: Command) -> None:
        """Run a command to its end, its output in the log like everybody's."""
        process = spawn(command, stdout=subprocess.PIPE)
        self._collect(name, process)
        try:
            while process.poll() is None:
                self.turn()
        except Stopped:
            signal_group(process, signal.SIGKILL)
            process.wait()
            raise
        if process.returncode:
            raise Failed(f"'{name}' ended with code {process.returncode}; its lines above say why.")

    def wait_for(self, what: str, is_true: Callable[[], bool], seconds: float, *, alive: Child | None = None) -> None:
        """Look after the children until that is true. ``alive`` must not die meanwhile."""
        deadline = time.monotonic() + seconds
        while not is_true():
            if alive and alive.deaths:
                raise Failed(f"{alive.name} did not start; its lines above say why.")
            if time.monotonic() > deadline:
                raise Failed(f"{what} took longer than {seconds:.0f} seconds.")
            self.turn(0.05)

    def turn(self, seconds: float = 0.2) -> None:
        """One look at everything: output, deaths, what is due to start again."""
        self._read_output(seconds)
        self._restart_what_died()
        if self._is_untold:
            self._tell()
        if self.stop_requested or self._launcher_is_gone():
            raise Stopped

    def stop_all(self, last: tuple[str, ...] = ()) -> None:
        """Everything ends; the servers named in ``last`` after those that use them."""
        self._stop([child for child in self.children if child.name not in last])
        self._stop([child for child in self.children if child.name in last])
        self._read_output(0)

    def _launcher_is_gone(self) -> bool:
        return self._launcher is not None and os.getppid() != self._launcher

    def _request_stop(self, *_: object) -> None:
        self.stop_requested = True

    def _start(self, child: Child) -> None:
        child.start_again_at = None
        child.command = child.prepare()
        child.process = spawn(child.command, stdout=subprocess.PIPE)
        child.started_at = time.monotonic()
        self._collect(child.name, child.process)
        self._tell()

    def _tell(self) -> None:
        """A child that runs is not started a second time because that could not be written down."""
        try:
            self._on_change(self.pids)
        except OSError as error:
            if not self._is_untold:
                self.log.say("up", f"What runs could not be told: {error}")
            self._is_untold = True
        else:
            self._is_untold = False

    def _collect(self, name: str, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None  # noqa: S101 - spawned with a pipe, always
        os.set_blocking(process.stdout.fileno(), False)
        self._selector.register(process.stdout, selectors.EVENT_READ, name)

    def _read_output(self, seconds: float) -> None:
        for key, _ in self._selector.select(seconds):
            pipe: IO[bytes] = key.fileobj  # type: ignore[assignment]
            if output := os.read(pipe.fileno(), 65536):
                self.log.feed(key.data, output)
            else:
                self._selector.unregister(pipe)
                pipe.close()
                self.log.finish(key.data)
        self.log.flush()

    def _restart_what_died(self) -> None:
        for child in self.children:
            if child.process and child.process.poll() is not None:
                self._bury(child)
            elif child.start_again_at is not None and child.start_again_at <= time.monotonic():
                self._start_again(child)

    def _start_again(self, child: Child) -> None:
        try:
            self._start(child)
        except (OSError, RuntimeError) as error:
            self.log.say("up", f"{child.name} could not be started again: {error}")
            child.start_again_at = time.monotonic() + LONGEST_PAUSE
        else:
            self.log.say("up", f"{child.name} was started again, process {self.pids[child.name]}.")

    def _bury(self, child: Child) -> None:
        process, child.process = child.process, None
        assert process is not None  # noqa: S101 - the caller has just looked
        signal_group(process, signal.SIGKILL)  # what it had started itself
        lived = time.monotonic() - child.started_at
        child.deaths = child.deaths + 1 if lived < YOUNG else 1
        pause = min(FIRST_PAUSE * 2 ** (child.deaths - 1), LONGEST_PAUSE)
        child.start_again_at = time.monotonic() + pause
        how = _how_it_ended(process.returncode)
        self.log.say("up", f"{child.name} (process {process.pid}) {how}; starting it again in {pause:g} s.")

    def _stop(self, children: list[Child]) -> None:
        for child in children:
            child.start_again_at = None
        for number, seconds in STOP_STEPS:
            running = [child for child in children if child.process and child.process.poll() is None]
            for child in running:
                _ask_to_stop(child, number)
            self._wait_until_ended(running, seconds)
        for child in children:
            if child.process:
                signal_group(child.process, signal.SIGKILL)

    def _wait_until_ended(self, children: list[Child], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while any(child.process and child.process.poll() is None for child in children):
            if time.monotonic() > deadline:
                return
            self._read_output(0.05)


def launcher_name(pid: int) -> str:
    """The program behind a process; empty where that cannot be known."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _ask_to_stop(child: Child, number: signal.Signals | None) -> None:
    """Each in its own way first. A child that has to be killed takes what it started with it."""
    if child.process is None or child.command is None:
        return
    if number is signal.SIGKILL:
        signal_group(child.process, number)
    else:
        child.process.send_signal(number or child.command.stop_signal)


def _how_it_ended(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by signal {-returncode} ({signal.strsignal(-returncode)})"
    return f"ended with code {returncode}"
