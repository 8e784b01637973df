"""What the supervisor does with children, shown with small ones."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from billing_portal.machine.leftovers import ProcessRecord, end_recorded
from billing_portal.machine.log import Log
from billing_portal.machine.spawn import Command, spawn
from billing_portal.machine.supervisor import Child, Failed, Stopped, Supervisor

PATIENT = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal; [signal.signal(number, signal.SIG_IGN) for number in (2, 3, 15)];" + PATIENT


def python(code: str) -> Command:
    return Command((sys.executable, "-c", code), cwd=Path("/"), env=dict(os.environ))


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        os.close(end)


@pytest.fixture
def seen() -> list[dict[str, int]]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, seen: list[dict[str, int]]) -> Iterator[Supervisor]:
    with (tmp_path / "log").open("w") as stream:
        supervisor = Supervisor(Log(stream), seen.append)
        yield supervisor
        supervisor.stop_all()


def log_of(tmp_path: Path) -> str:
    return (tmp_path / "log").read_text()


def test_lines_carry_the_name_of_who_wrote_them(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Child("talker", lambda: python(PATIENT)))
    supervisor.wait_for("the line", lambda: "up" in log_of(tmp_path), 20)
    assert "talker   | up\n" in log_of(tmp_path)


def test_a_dead_child_is_started_again_and_the_new_number_told(
    supervisor: Supervisor, seen: list[dict[str, int]], tmp_path: Path
) -> None:
    supervisor.start(Child("talker", lambda: python(PATIENT)))
    first = supervisor.pids["talker"]
    os.kill(first, signal.SIGKILL)
    supervisor.wait_for("a restart", lambda: supervisor.pids.get("talker") not in (None, first), 20)
    assert [pids["talker"] for pids in seen] == [first, supervisor.pids["talker"]]
    assert "talker was started again" in log_of(tmp_path)


def test_a_child_that_runs_is_not_doubled_because_that_could_not_be_written_down(tmp_path: Path) -> None:
    heard: list[dict[str, int]] = []
    full = iter([False, True, True])

    def tell(pids: dict[str, int]) -> None:
        if next(full, False):
            raise OSError(28, "No space left on device")
        heard.append(pids)

    with (tmp_path / "log").open("w") as stream:
        supervisor = Supervisor(Log(stream), tell)
        try:
            supervisor.start(Child("talker", lambda: python(PATIENT)))
            first = supervisor.pids["talker"]
            os.kill(first, signal.SIGKILL)
            supervisor.wait_for("the restart to be told", lambda: len(heard) == 2, 20)
            assert heard == [{"talker": first}, supervisor.pids]
            assert [child.start_again_at for child in supervisor.children] == [None]
        finally:
            supervisor.stop_all()
    assert log_of(tmp_path).count("No space left on device") == 1


def test_pauses_grow_while_a_child_dies_young(supervisor: Supervisor) -> None:
    child = Child("failing", lambda: python("raise SystemExit(3)"))
    supervisor.start(child)
    supervisor.wait_for("two deaths", lambda: child.deaths == 2, 20)
    assert child.start_again_at is not None
    assert child.start_again_at - time.monotonic() > 0.7


def test_a_child_that_ignores_signals_is_ended_in_time(supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.start(Child("stubborn", lambda: python(STUBBORN)))
    supervisor.wait_for("the line", lambda: "up" in log_of(tmp_path), 20)
    pid = supervisor.pids["stubborn"]
    started = time.monotonic()
    supervisor.stop_all()
    assert time.monotonic() - started < 5
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_failed_command_stops_the_start(supervisor: Supervisor) -> None:
    with pytest.raises(Failed, match="'step' ended with code 3"):
        supervisor.run_once("step", python("raise SystemExit(3)"))


def test_a_wish_to_stop_ends_any_waiting(supervisor: Supervisor) -> None:
    supervisor.stop_requested = True
    with pytest.raises(Stopped):
        supervisor.wait_for("never", lambda: False, 20)


def test_a_log_nobody_reads_never_blocks(pipe: tuple[int, int]) -> None:
    with os.fdopen(os.dup(pipe[1]), "w") as stream:
        log = Log(stream)
        for _ in range(3000):  # some three times what a pipe holds
            log.say("loud", "x" * 60)
    assert os.read(pipe[0], 10) == b"loud     |"


def test_children_end_with_a_killed_parent() -> None:
    code = (
        "import sys, os, time; from pathlib import Path; from billing_portal.machine.spawn import Command, spawn;"
        "child = spawn(Command((sys.executable, '-c', 'import time; time.sleep(60)'), Path('/'), dict(os.environ)));"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    with parent.stdout:
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_leftovers_are_ended_with_all_they_started() -> None:
    child = spawn(
        python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {PATIENT!r}])"), stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"up\n"
        assert end_recorded([ProcessRecord.of("talker", child.pid)]) == ["talker"]
        assert child.wait(5) != 0
        child.stdout.read()  # returns, because nobody holds the other end any more


def test_a_number_given_out_again_is_left_alone() -> None:
    child = spawn(python(PATIENT), stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"up\n"
        record = ProcessRecord.of("talker", child.pid)
        earlier = ProcessRecord("talker", child.pid, record.started - 1, record.boot)
        other_boot = ProcessRecord("talker", child.pid, record.started, "another")
        assert end_recorded([earlier, other_boot]) == []
        assert child.poll() is None
        child.kill()
        child.wait()
