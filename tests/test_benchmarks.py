"""The benchmarks' one command, and the one of them that is quick enough to be lived through here."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from billing_portal.machine.environment import PROJECT
from tests.bench import __main__ as bench
from tests.bench import quiet, tick
from tests.bench.result import Line, choose, read

FOLDER = PROJECT / "tests" / "bench"
FEW, MANY = 20, 4_000


def test_the_command_and_the_readme_know_every_benchmark() -> None:
    texts = {path.stem: path.read_text() for path in FOLDER.glob("*.py")}
    found = {name for name, text in texts.items() if "finish(" in text and name != "result"}
    assert found == set(bench.BENCHES)
    readme = (FOLDER / "README.md").read_text()
    assert [name for name in bench.BENCHES if f"`{name}`" not in readme] == []


GOOD = Line("a post, beside a bare one", "2.0 ms", 2.0, 3.0, "1.0 ms")
BAD = Line("share of the limit", "20 a second", 0.8, 0.9, "25 a second", at_least=True)
TOLD = Line("invoices an hour", "3,600,000", 3_600_000.0)


@pytest.mark.parametrize(
    ("lines", "code", "verdicts"),
    [([GOOD, TOLD], 0, {"holds"}), ([GOOD, BAD], 1, {"holds", "DOES NOT HOLD"}), ([], 1, {"DOES NOT HOLD"})],
)
def test_one_table_whose_exit_code_says_whether_all_holds(
    lines: list[Line],
    code: int,
    verdicts: set[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    report = tmp_path / "report.md"
    monkeypatch.setattr(sys, "argv", ["bench", "--only", "tick", "--report", str(report)])
    monkeypatch.setattr(bench, "run", lambda name, *, quick: bench.Ran(name, lines, 12.0, 0.5))
    with pytest.raises(SystemExit) as ended:
        bench.main()
    assert ended.value.code == code
    for text in (capsys.readouterr().out, report.read_text()):
        assert "tick (12 s, load 0.5 before)" in text
        assert {verdict for verdict in ("holds", "DOES NOT HOLD") if verdict in text} == verdicts
        assert all(line.what in text and line.measured in text for line in lines)
    assert "- cores: " in report.read_text()


def test_each_benchmark_hands_its_lines_over(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As a program that is started with ``--quick`` and a file to write to."""
    result = tmp_path / "lines.json"
    monkeypatch.setattr(sys, "argv", ["bench", "--quick", "--rounds", "7", "--result", str(result)])
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options, finish = choose(parser, {"events": 10, "rounds": 1})
    assert vars(options) == {"events": 10, "rounds": 7}
    with pytest.raises(SystemExit) as ended:
        finish([GOOD, BAD])
    assert (ended.value.code, read(result)) == (1, [GOOD, BAD])


@pytest.mark.django_db
def test_with_nothing_due_no_task_of_beats_asks_more_where_there_are_more_customers() -> None:
    few, many = _costs(FEW), _costs(MANY)
    assert set(few) == set(tick.tasks())
    assert {name: (cost.statements, cost.handed_over) for name, cost in many.items()} == {
        name: (cost.statements, cost.handed_over) for name, cost in few.items()
    }
    assert [complaint for cost in many.values() for complaint in cost.complaints] == []


def _costs(customers: int) -> dict[str, tick.Cost]:
    """Each task at its second run, in a database that is emptied again."""
    with transaction.atomic():
        quiet.make(customers, timezone.now())
        found = {name: _second(task) for name, task in tick.tasks().items()}
        transaction.set_rollback(True)
    return found


def _second(task: str) -> tick.Cost:
    tick.cost(task)
    return tick.cost(task)
