"""The arrangement of compose.yaml on a network of its own, where a host is cut off and comes back.

    uv run python -m tests.machine.two_hosts            # as root, on Linux; a few minutes

Five hosts are made as network namespaces, with a switch between them: one for PostgreSQL and Valkey, one for the web
server and beat, two with a worker each, and the world outside, where the Stripe sandbox, the vendor's program and its
webhook receiver live. Programs run in production's settings. While the company's months go by, the cable of one
worker's host is pulled, for shorter and for longer than the lease on what it holds. Then everything comes to rest and
the books are audited by the rules of ``manage.py torture``. Nothing of it touches the machine's own network.

The addresses are of the public kind because outgoing webhooks go to no private ones; they lead nowhere else.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import django
import requests

from billing_portal.embedded import PostgresServer, ValkeyServer
from billing_portal.machine.environment import PROJECT, Addresses, child_environment
from billing_portal.machine.ready import Bootstrapped, ready_content
from billing_portal.machine.secrets import kept_secrets
from billing_portal.torture.company import Company
from billing_portal.torture.portal import Portal
from billing_portal.torture.receiver import Receiver
from billing_portal.torture.rest import come_to_rest
from billing_portal.torture.stage import Stage

if TYPE_CHECKING:
    from billing_portal.torture.run import Result

NETWORK = "11.77.0"
HOSTS = {"data": 2, "web": 3, "one": 4, "two": 5, "world": 6}
SWITCH = "switch"
WEB_PORT, SANDBOX_PORT = 8000, 9000
START_SECONDS = 240
# Seconds that a cable is pulled for; the lease on a claim is 15.
CUTS = (8, 25, 45)
MOST_SECONDS = 1500


def address(host: str) -> str:
    return f"{NETWORK}.{HOSTS[host]}"


class Network:
    """``prefix`` keeps two runs apart."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix

    def inside(self, host: str, *command: str) -> list[str]:
        return ["ip", "netns", "exec", f"{self.prefix}-{host}", *command]

    def make(self) -> None:
        for host in (SWITCH, *HOSTS):
            run("ip", "netns", "add", f"{self.prefix}-{host}")
            run(*self.inside(host, "ip", "link", "set", "lo", "up"))
        run(*self.inside(SWITCH, "ip", "link", "add", "br0", "type", "bridge"))
        run(*self.inside(SWITCH, "ip", "link", "set", "br0", "up"))
        for host in HOSTS:
            self._plug_in(host)

    def _plug_in(self, host: str) -> None:
        here, there = f"{self.prefix}-{host}", f"{self.prefix}-{SWITCH}"
        port = ("ip", "link", "add", "eth0", "netns", here, "type", "veth", "peer", "name", host, "netns", there)
        run(*port)
        run(*self.inside(SWITCH, "ip", "link", "set", host, "master", "br0", "up"))
        run(*self.inside(host, "ip", "addr", "add", f"{address(host)}/24", "dev", "eth0"))
        run(*self.inside(host, "ip", "link", "set", "eth0", "up"))

    def pull(self, host: str) -> None:
        """At the switch: the host itself only sees that its line is dead."""
        run(*self.inside(SWITCH, "ip", "link", "set", host, "down"))

    def plug(self, host: str) -> None:
        run(*self.inside(SWITCH, "ip", "link", "set", host, "up"))

    def take_down(self) -> None:
        for host in (SWITCH, *HOSTS):
            subprocess.run(["ip", "netns", "del", f"{self.prefix}-{host}"], check=False, capture_output=True)


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")


def is_possible() -> bool:
    """Whether this account may make such a network here."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    probe = Network(f"bp{os.getpid()}p")
    try:
        probe.make()
    except RuntimeError:
        return False
    finally:
        probe.take_down()
    return True


class Programs:
    """Each on its host, with a log of its own. All end with this."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network, self.folder = network, folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, host: str, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            inside = self.network.inside(host, *command)
            process = subprocess.Popen(inside, cwd=PROJECT, env=dict(env), stdout=log, stderr=subprocess.STDOUT)
        self._running.append(process)

    def stop(self) -> None:
        """The servers come last: they were started first."""
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def arrangement(folder: Path) -> Iterator[tuple[Network, Stage]]:
    """Everything of compose.yaml, running."""
    network = Network(f"bp{os.getpid()}")
    programs = Programs(network, folder)
    try:
        network.make()
        programs.start("data", "data", [sys.executable, "-m", __spec__.name, "--serve", str(folder)], os.environ)
        urls = json.loads(wait_for(folder / "urls.json").read_text())
        addresses = Addresses(WEB_PORT, SANDBOX_PORT, urls["database"], urls["broker"])
        env = environment(folder, addresses)
        _prepare(network, folder, env)
        _start_programs(programs, env)
        yield network, _stage(folder, addresses, env)
    finally:
        programs.stop()
        network.take_down()


def environment(folder: Path, addresses: Addresses) -> dict[str, str]:
    """The sandbox's and the commands': development's settings, in which the sandbox exists."""
    outside = f"http://{address('world')}:{SANDBOX_PORT}"
    ours = ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE")
    given = {name: value for name, value in os.environ.items() if name not in ours}
    return child_environment(folder, addresses, kept_secrets(folder), given) | {
        "PUBLIC_URL": f"http://{address('web')}:{WEB_PORT}",
        "STRIPE_API_BASE": outside,
        "STRIPE_CONNECT_BASE": outside,
        "API_REQUESTS_PER_MINUTE": "0",
        # What the sandbox delivers to; and plain http, which only loopback may have otherwise.
        "ALLOWED_HOSTS": address("web"),
    }


def production(env: Mapping[str, str], folder: Path) -> dict[str, str]:
    return {
        **env,
        "DJANGO_SETTINGS_MODULE": "tests.machine.two_hosts_settings",
        "EMAIL_URL": f"filemail:///{folder}/mail",
        "SECURE_SSL_REDIRECT": "false",
        "WEB_CONCURRENCY": "2",
    }


def _prepare(network: Network, folder: Path, env: Mapping[str, str]) -> None:
    kept = kept_secrets(folder)
    secrets = {"BOOTSTRAP_OPERATOR_PASSWORD": kept.operator_password, "BOOTSTRAP_API_KEY": kept.api_key}
    webhook = f"http://{address('web')}:{WEB_PORT}/webhooks/stripe/"
    command = [
        sys.executable,
        "manage.py",
        "bootstrap",
        "--webhook-url",
        webhook,
        "--output",
        str(folder / "made.json"),
    ]
    subprocess.run(network.inside("world", *command), cwd=PROJECT, env={**env, **secrets}, check=True)


def _start_programs(programs: Programs, env: Mapping[str, str]) -> None:
    folder, python = programs.folder, [sys.executable, "-m"]
    live = production(env, folder)
    sandbox = [sys.executable, "manage.py", "sandbox", "--host", address("world"), "--port", str(SANDBOX_PORT)]
    programs.start("world", "sandbox", sandbox, env)
    web = ["gunicorn", "billing_portal.wsgi", "--config", "python:billing_portal.serving"]
    programs.start("web", "web", [*python, *web, "--bind", f"{address('web')}:{WEB_PORT}"], live)
    celery = [*python, "celery", "--quiet", "--app", "billing_portal"]
    programs.start("web", "beat", [*celery, "beat", "--schedule", str(folder / "beat")], live)
    for host in ("one", "two"):
        worker = ["worker", "--concurrency", "2", "--hostname", f"{host}@%h"]
        programs.start(host, f"worker-{host}", [*celery, *worker], live)


def _stage(folder: Path, addresses: Addresses, env: Mapping[str, str]) -> Stage:
    """As ``up`` would describe it; the pieces of ``torture`` find their way by it."""
    made = Bootstrapped.read(folder / "made.json")
    content = ready_content(addresses, kept_secrets(folder), made, env)
    content["url"] = env["PUBLIC_URL"]
    (folder / "ready.json").write_text(json.dumps({**content, "pids": {}}))
    return Stage(folder, None, folder / "none.log")


def serve_data(folder: Path) -> None:
    """The database and the broker, for all hosts."""
    there = address("data")
    database = PostgresServer(folder / "postgres", {"listen_addresses": f"127.0.0.1,{there}"})
    broker = ValkeyServer(folder / "valkey", {"bind": f"127.0.0.1 {there}"})
    database.prepare()
    with (folder / "postgres/cluster/data/pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NETWORK}.0/24 scram-sha-256\n")
    urls = {"database": database.start(), "broker": broker.start()}
    said = json.dumps({name: url.replace("127.0.0.1", there) for name, url in urls.items()})
    (folder / "urls.new").write_text(said)
    (folder / "urls.new").rename(folder / "urls.json")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    broker.stop()
    database.stop()


def wait_for(path: Path) -> Path:
    deadline = time.monotonic() + START_SECONDS
    while not path.exists():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{path} does not appear.")
        time.sleep(0.2)
    return path


def wait_until_it_serves(stage: Stage) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{stage.ready['url']}/readyz", timeout=5).status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.5)
    raise RuntimeError("The web server does not serve.")


def live(folder: Path, network: Network, stage: Stage, customers: int, months: int) -> tuple[Result, list[str]]:
    """Run on the host ``world``. Answers what the audit found, and a line for each cut."""
    from billing_portal.torture.run import Options, Result, audit_books  # needs Django to be set up

    result, cuts = Result(Options(1, 0, customers, folder)), []
    wait_until_it_serves(stage)
    with Receiver().listening(address("world")) as receiver:
        portal = Portal(stage.ready["url"], stage.ready["api_key"])
        company = Company(portal, stage, random.Random(1), customers)
        company.open(receiver.address, lambda count: None)
        for month in range(months):
            company.live_a_month()
            host, seconds = ("one", "two")[month % 2], CUTS[month % len(CUTS)]
            time.sleep(2)
            cuts.append(_cut(network, host, seconds, portal))
            _wait_for_arrival(company)
        result.restless = come_to_rest(stage, lambda left: print("waits for", left, flush=True))
        result.months, result.changes, result.asked_again = company.months, company.done, portal.failures
        audit_books(stage, company, receiver, result)
        twice = sum(times - 1 for times in receiver.times.values())
        cuts.append(f"{len(receiver.heard)} webhooks heard, {twice} of them a second time.")
    return result, cuts


def _cut(network: Network, host: str, seconds: int, portal: Portal) -> str:
    network.pull(host)
    print(f"host {host} is cut off for {seconds} s", flush=True)
    time.sleep(seconds)
    meanwhile = portal.get("/test_clock")["now"]
    network.plug(host)
    return f"Host {host} was cut off for {seconds} s; the clock had come to {meanwhile} without it."


def _wait_for_arrival(company: Company) -> None:
    deadline = time.monotonic() + MOST_SECONDS
    while not company.has_arrived():
        if time.monotonic() > deadline:
            raise RuntimeError("The clock does not arrive.")
        time.sleep(1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=100)
    parser.add_argument("--months", type=int, default=6)
    parser.add_argument("--folder", type=Path, help="keep everything there")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--live", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--prefix", default="", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        serve_data(chosen.serve)
        return 0
    if chosen.live:
        return tell(chosen.live, Network(chosen.prefix), chosen.customers, chosen.months)
    # Told to end, it takes everything down first.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if not is_possible():
        sys.exit("This needs root, and a machine that lets it make network namespaces.")
    with ExitStack() as stack:
        folder = chosen.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="two-hosts-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o711)
        network, _ = stack.enter_context(arrangement(folder))
        again = [sys.executable, "-m", __spec__.name, "--live", str(folder), "--prefix", network.prefix]
        counts = ["--customers", str(chosen.customers), "--months", str(chosen.months)]
        return subprocess.run(network.inside("world", *again, *counts), cwd=PROJECT, check=False).returncode


def tell(folder: Path, network: Network, customers: int, months: int) -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "billing_portal.settings.development"
    django.setup()
    started = time.monotonic()
    result, cuts = live(folder, network, Stage(folder, None, folder / "none.log"), customers, months)
    print(f"{customers} customers, {result.months} months, {(time.monotonic() - started) / 60:.0f} minutes.")
    print(", ".join(f"{count} {name}" for name, count in result.counts.items()) + ".")
    print("\n".join(cuts))
    print(f"Requests that the vendor's program had to send again: {result.asked_again}.")
    wrong = {name: found for name, found in result.violations.items() if found}
    print(f"{len(result.violations)} rules, {sum(map(len, wrong.values()))} violations.", wrong or "", flush=True)
    print("Did not come to rest:", result.restless) if result.restless else None
    return 0 if result.holds else 1


if __name__ == "__main__":
    sys.exit(main())
