"""A real PostgreSQL 18 and a real Valkey without installing either: the programs come inside Python wheels.

Both listen on 127.0.0.1 and a free port, ask for a random password kept beside their data, and are
children of the caller. As root, PostgreSQL runs as ``nobody``: its data belong to that account, and it is
started *inside* the data folder and names it ``/proc/self/cwd``, so that no folder above has to be opened.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import psycopg
import redis
from psycopg import sql

from billing_portal.machine.binaries import postgres_folder, valkey_server
from billing_portal.machine.files import kept_secret, private_folder
from billing_portal.machine.leftovers import end_marked
from billing_portal.machine.ports import HOST, free_port
from billing_portal.machine.spawn import Account, Command, signal_group, spawn, unprivileged_account

DATABASE = "billing_portal"
# Recovery after a crash is part of the start.
START_SECONDS = 120.0
STOP_SECONDS = 5.0
HERE = Path("/proc/self/cwd")


class EmbeddedServer(ABC):
    """``start`` and ``stop`` are all that most callers need; a supervisor that owns the process itself
    uses ``prepare``, ``answers`` and ``url``."""

    name: str
    process: "subprocess.Popen[bytes] | None" = None

    def __init__(self, directory: Path, options: Mapping[str, str] | None = None) -> None:
        self.directory = directory.resolve()
        self.options = dict(options or {})
        self.port = free_port()

    @property
    @abstractmethod
    def url(self) -> str: ...

    @abstractmethod
    def prepare(self) -> Command:
        """Everything before the start, which may follow a crash; returns how to start it."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it can be used now."""

    def start(self, log: IO[bytes] | None = None) -> str:
        """Start it and wait until it answers; returns its URL."""
        self.command = self.prepare()
        self.process = spawn(self.command, stdout=log if log is not None else subprocess.DEVNULL)
        try:
            self._wait_until_ready(self.process)
        except BaseException:
            self.stop()
            raise
        return self.url

    def stop(self) -> None:
        """Stop it, politely first. Stopping twice is fine."""
        process, self.process = self.process, None
        if process is None:
            return
        for number in (self.command.stop_signal, signal.SIGQUIT, signal.SIGKILL):
            signal_to(process, number)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
            break
        signal_group(process, signal.SIGKILL)

    def _wait_until_ready(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            if process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with code {process.returncode}; its log says why.")
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not answer within {START_SECONDS:.0f} seconds.")
            time.sleep(0.05)


class PostgresServer(EmbeddedServer):
    """PostgreSQL with its data under ``directory``; ``options`` are ``postgresql.conf`` settings."""

    name = "PostgreSQL"

    @property
    def url(self) -> str:
        return f"postgres://{DATABASE}:{self._password()}@{HOST}:{self.port}/{DATABASE}"

    def prepare(self) -> Command:
        account = unprivileged_account()
        programs = postgres_folder(account)
        end_marked(self._mark)
        if not self._data.exists():
            self._initialise(programs, account)
        # Every process of the last run is gone: whatever number this file names is somebody else's by now.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        return Command(
            argv=(str(programs / "bin" / "postgres"), "-D", _from_inside(self._data), *self._arguments()),
            cwd=self._data,
            env=_clean_environment(),
            account=account,
            stop_signal=signal.SIGINT,  # "fast": ends connections, writes everything down
            death_signal=signal.SIGINT,
        )

    def answers(self) -> bool:
        if not self._says_ready():
            return False
        try:
            self._ensure_database()
        except psycopg.OperationalError:
            return False
        return True

    def _says_ready(self) -> bool:
        """PostgreSQL writes it into the last line of this file; asking sooner only fills the log."""
        try:
            return (self._data / "postmaster.pid").read_text().rstrip().endswith("ready")
        except FileNotFoundError:
            return False

    @property
    def _data(self) -> Path:
        return self.directory / "cluster" / "data"

    @property
    def _mark(self) -> str:
        """PostgreSQL shows its cluster name on the command line of each of its processes."""
        return "bp_" + hashlib.sha256(os.fsencode(self.directory)).hexdigest()[:16]

    def _password(self) -> str:
        return kept_secret(self.directory / "password")

    def _arguments(self) -> tuple[str, ...]:
        settings = {
            "listen_addresses": HOST,
            "port": str(self.port),
            "unix_socket_directories": "",
            "cluster_name": self._mark,
            "max_connections": "200",
            "timezone": "UTC",
            "log_min_messages": "warning",
            **self.options,
        }
        return tuple(part for key, value in settings.items() for part in ("-c", f"{key}={value}"))

    def _initialise(self, programs: Path, account: Account | None) -> None:
        """Made beside its final place and moved there when complete: what was cut short starts over."""
        cluster = self._data.parent
        private_folder(self.directory)
        shutil.rmtree(cluster, ignore_errors=True)
        new, password = cluster / "new", cluster / "password"
        for folder in (cluster, new):
            folder.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(self._password())
        if account:
            for path in (cluster, new, password):
                os.chown(path, account.uid, account.gid)
        self._run_initdb(programs, new, account)
        password.unlink()
        new.rename(self._data)

    def _run_initdb(self, programs: Path, folder: Path, account: Account | None) -> None:
        initdb = (str(programs / "bin" / "initdb"), "-D", _from_inside(folder), f"--username={DATABASE}")
        how = ("--auth=scram-sha-256", "--pwfile=../password", "--encoding=UTF8", "--no-instructions")
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        sync = ("--no-sync",) if self.options.get("fsync") == "off" else ()
        command = Command((*initdb, *how, *locale, *sync), folder, _clean_environment(), account)
        process = spawn(command, stdout=subprocess.PIPE)
        output, _ = process.communicate()
        if process.returncode:
            raise RuntimeError(f"Making the database failed:\n{output.decode(errors='replace')}")

    def _ensure_database(self) -> None:
        address = self.url.rpartition("/")[0] + "/postgres"
        with psycopg.connect(address, autocommit=True, connect_timeout=5) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not known:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))


class ValkeyServer(EmbeddedServer):
    """Valkey, which keeps nothing but its password and settings under ``directory``; ``options`` are ``valkey.conf``
    settings."""

    name = "Valkey"

    @property
    def url(self) -> str:
        return f"redis://:{self._password()}@{HOST}:{self.port}/0"

    def prepare(self) -> Command:
        private_folder(self.directory)
        end_marked(str(self._configuration))
        self._write_configuration()
        return Command(
            argv=(str(valkey_server()), str(self._configuration)),
            cwd=self.directory,
            env=_clean_environment(),
        )

    def answers(self) -> bool:
        with redis.Redis.from_url(self.url) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    @property
    def _configuration(self) -> Path:
        return self.directory / "valkey.conf"

    def _password(self) -> str:
        return kept_secret(self.directory / "password")

    def _write_configuration(self) -> None:
        settings = {
            "bind": HOST,
            "port": str(self.port),
            "requirepass": self._password(),
            "dir": f'"{self.directory}"',
            # Whatever it forgets follows from the database, and a file that a full disk has spoilt would keep it from
            # starting ever again.
            "appendonly": "no",
            "save": '""',
            # Shows the path of this file, by which a leftover process is recognised.
            "proc-title-template": '"{title} {config-file}"',
            "loglevel": "warning",
            **self.options,
        }
        self._configuration.touch(mode=0o600)
        self._configuration.write_text("".join(f"{key} {value}\n" for key, value in settings.items()))


def _from_inside(folder: Path) -> str:
    """How a process that was started in that folder names it, even if it may not enter the folders above."""
    return str(HERE if HERE.exists() else folder)


def signal_to(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    """To the process itself: PostgreSQL and its like tell their own children what to do."""
    if process.poll() is None:
        process.send_signal(number)


def _clean_environment() -> dict[str, str]:
    """Nothing of the caller's: PG* variables and locales would change what is made."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
