"""Starts a child process that ends with its parent, if need be under another account."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

PR_SET_PDEATHSIG = 1
# Looked up before any fork: between fork and exec nothing may be loaded.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Account:
    """Whom a child runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Command:
    """How one program is started, and how it is asked to end."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(repr=False)
    account: Account | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    # What the child gets when its parent dies without having stopped it.
    death_signal: signal.Signals = signal.SIGTERM


def unprivileged_account() -> Account | None:
    """The account for programs that refuse to run as root; None where nobody needs to change."""
    if os.geteuid() != 0:
        return None
    try:
        found = pwd.getpwnam("nobody")
    except KeyError:
        raise RuntimeError(
            "PostgreSQL refuses to run as root, and this system has no account named 'nobody' to run it "
            "under. Start as an ordinary user, or set DATABASE_URL to a server of your own."
        ) from None
    return Account(found.pw_name, found.pw_uid, found.pw_gid)


def spawn(
    command: Command,
    *,
    stdin: int | IO[bytes] = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = subprocess.STDOUT,
) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, so that a Ctrl-C in the terminal reaches only the parent.

    The kernel watches the calling *thread*: call this from one that lives as long as the child should.
    """
    account = command.account
    return subprocess.Popen(  # noqa: S603 - the callers are this package; arguments are never a shell's
        command.argv,
        cwd=command.cwd,
        env=dict(command.env),
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
        preexec_fn=_die_with_parent(command.death_signal),
    )


def _die_with_parent(death_signal: signal.Signals) -> Callable[[], None] | None:
    """Linux ends the child with its parent; elsewhere the next start on the folder does."""
    if _libc is None:
        return None
    prctl, number, parent = _libc.prctl, int(death_signal), os.getpid()

    def between_fork_and_exec() -> None:
        prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return between_fork_and_exec


def signal_group(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """Signal a child and everything it started; a child that is gone already is fine."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return
