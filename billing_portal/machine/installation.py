"""Everything on one machine: servers, migrations, first data, processes; then it watches until told to stop."""

import fcntl
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from billing_portal.embedded import START_SECONDS, EmbeddedServer, PostgresServer, ValkeyServer
from billing_portal.machine import processes
from billing_portal.machine.environment import Addresses, child_environment, uses_real_stripe
from billing_portal.machine.files import private_folder, write_private
from billing_portal.machine.leftovers import ProcessRecord, end_recorded
from billing_portal.machine.log import Log
from billing_portal.machine.ports import free_port, is_free, is_open
from billing_portal.machine.ready import Bootstrapped, ReadyFile, ready_content
from billing_portal.machine.secrets import kept_secrets
from billing_portal.machine.supervisor import Child, Failed, Stopped, Supervisor

SERVERS = ("postgres", "valkey")
SERVE_SECONDS = 120.0
# A run that was told to stop needs less than this.
LOCK_SECONDS = 12.0


@dataclass(frozen=True)
class Options:
    """What the person asked for. ``has_sandbox``: the project carries the sandbox's command."""

    directory: Path
    port: int
    demo: bool = False
    has_sandbox: bool = True


class Installation:
    """One run of one folder."""

    def __init__(self, options: Options, log: Log, given: Mapping[str, str] = os.environ) -> None:
        self.options = options
        self.log = log
        self.given = given
        self.directory = options.directory.resolve()
        self.supervisor = Supervisor(log, self._children_changed)

    def run(self) -> None:
        """Returns when it was told to stop; raises ``Failed`` when it cannot go on."""
        with only_run(self.directory):
            self.ready = ReadyFile(self.directory)
            self._end_leftovers()
            if not is_free(self.options.port):
                raise Failed(f"Port {self.options.port} is taken. Choose another with --port.")
            self.supervisor.listen_to_signals()
            self.supervisor.follow_launcher()
            try:
                self._start()
                while True:
                    self.supervisor.turn()
            except Stopped:
                self.log.say("up", "Stopping.")
            finally:
                self.ready.withdraw()
                self.supervisor.stop_all(last=SERVERS)
                self._records.unlink(missing_ok=True)

    def _start(self) -> None:
        self.kept = kept_secrets(self.directory)
        self.addresses = self._find_addresses()
        self.env = child_environment(self.directory, self.addresses, self.kept, self.given)
        made = self._bootstrap()
        self._start_processes()
        self._wait_until_it_serves()
        content = ready_content(self.addresses, self.kept, made, self.env)
        self.ready.publish(content, self.supervisor.pids)
        self._greet(content)
        if self.options.demo:
            self._fill_demonstration()

    def _find_addresses(self) -> Addresses:
        """Start the servers that the environment does not name."""
        database = self.given.get("DATABASE_URL") or self._serve("postgres", PostgresServer(self._folder("postgres")))
        broker = self.given.get("REDIS_URL") or self._serve("valkey", ValkeyServer(self._folder("valkey")))
        sandbox = None if uses_real_stripe(self.given) else self._sandbox_port()
        return Addresses(self.options.port, sandbox, database, broker)

    def _serve(self, name: str, server: EmbeddedServer) -> str:
        child = Child(name, server.prepare)
        self.supervisor.start(child)
        self.supervisor.wait_for(f"Starting {server.name}", server.answers, START_SECONDS, alive=child)
        return server.url

    def _sandbox_port(self) -> int:
        """The same as last time where possible: addresses of its pages are kept with invoices."""
        path = self.directory / "sandbox-port"
        port = free_port(preferred=int(path.read_text()) if path.exists() else None)
        write_private(path, str(port))
        return port

    def _bootstrap(self) -> Bootstrapped:
        """Migrations and first data."""
        output = self.directory / "bootstrap.json"
        secrets = {
            "BOOTSTRAP_OPERATOR_PASSWORD": self.kept.operator_password,
            "BOOTSTRAP_API_KEY": self.kept.api_key,
        }
        arguments = ["--output", str(output), "--webhook-url", self.addresses.webhook_url]
        if self.options.demo:
            arguments.append("--demo")
        self.supervisor.run_once("prepare", processes.manage({**self.env, **secrets}, "bootstrap", *arguments))
        return Bootstrapped.read(output)

    def _start_processes(self) -> None:
        env, addresses = self.env, self.addresses
        if self._runs_sandbox:
            self.supervisor.start(Child("sandbox", partial(processes.sandbox, env, addresses)))
        self.supervisor.start(Child("web", partial(processes.web, env, addresses)))
        self.supervisor.start(Child("worker", partial(processes.worker, env)))
        self.supervisor.start(Child("beat", partial(processes.beat, env, self.directory)))

    def _wait_until_it_serves(self) -> None:
        self.supervisor.wait_for("Starting the web server", self._serves, SERVE_SECONDS)
        port = self.addresses.sandbox_port
        if self._runs_sandbox and port:
            self.supervisor.wait_for("Starting the sandbox", partial(is_open, port), SERVE_SECONDS)

    def _fill_demonstration(self) -> None:
        """It lives through half a year with the processes that run by now, so people may watch."""
        self.log.say("up", "Filling in the demonstration; the portal can be used meanwhile.")
        try:
            self.supervisor.run_once("demo", processes.manage(self.env, "demo"))
        except Failed as error:
            self.log.say("up", f"The demonstration is incomplete: {error}")
        else:
            self.log.say("up", "The demonstration is complete.")

    @property
    def _runs_sandbox(self) -> bool:
        return self.options.has_sandbox and self.addresses.sandbox_port is not None

    def _serves(self) -> bool:
        try:
            with urllib.request.urlopen(self.addresses.url + "/healthz", timeout=5) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except OSError:
            return False

    def _greet(self, content: Mapping[str, object]) -> None:
        password = content["password"] or "(as you changed it)"
        self.log.say("up", f"Serving at {content['url']}")
        self.log.say("up", f"Sign in as {content['operator']}   password {password}")
        self.log.say("up", f"API key and addresses: {self.directory / 'ready.json'}   Ctrl-C stops everything.")

    def _children_changed(self, pids: dict[str, int]) -> None:
        records = [ProcessRecord.of(name, pid) for name, pid in pids.items()]
        write_private(self._records, ProcessRecord.dump(records))
        self.ready.update(pids)

    def _end_leftovers(self) -> None:
        if self._records.exists():
            for name in end_recorded(ProcessRecord.load(self._records.read_text())):
                self.log.say("up", f"Ended {name}, left over from an earlier run.")

    @property
    def _records(self) -> Path:
        return self.directory / "processes.json"

    def _folder(self, name: str) -> Path:
        return self.directory / name


@contextmanager
def only_run(directory: Path, patience: float = LOCK_SECONDS) -> Iterator[None]:
    """One run a folder. The lock falls with the process that holds it, however that ends; one that is
    stopping at this moment is waited for."""
    try:
        private_folder(directory)
        with (directory / "lock").open("w") as lock:
            _acquire(lock, directory, patience)
            yield
    except PermissionError as error:
        raise Failed(f"{error}. {directory} must belong to whoever runs this; choose another with --data.") from None


def _acquire(lock: IO[str], directory: Path, patience: float) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise Failed(f"{directory} is in use by another run. Stop that one, or choose --data.") from None
            time.sleep(0.1)
