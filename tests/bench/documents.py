"""Does making a PDF stay as fast, and the process as small, after a thousand of them?

By hand: ``uv run python -m tests.bench.documents``. Everything that a document needs is there; neither database nor
network is used. The bare figure beside it compiles the same template with the same data through typst alone.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from tests.bench.result import Line, choose

TENTH = 10
# Of the last tenth beside the first: time, and memory once everything has been seen.
MOST_DRIFT, MOST_GROWTH = 1.25, 1.1
MOST_TIMES_BARE = 2.0


@dataclass(frozen=True)
class Figures:
    """Seconds a document, and megabytes resident: of the first tenth and the last."""

    first: float
    last: float
    bare: float
    began_at: float
    after_first: float
    ended_at: float

    @property
    def drift(self) -> float:
        """How much slower the last tenth is than the first: 1 is not at all."""
        return self.last / self.first

    @property
    def ratio(self) -> float:
        """The whole of it beside typst alone."""
        return self.last / self.bare

    def __str__(self) -> str:
        times = f"first {self.first * 1000:.1f} ms, last {self.last * 1000:.1f} ms a document ({self.drift:.2f} x)"
        memory = (
            f"{self.began_at:.0f} MB before, {self.after_first:.0f} MB after a tenth, {self.ended_at:.0f} MB at the end"
        )
        return f"{times}; {self.ratio:.2f} x typst alone ({self.bare * 1000:.1f} ms); {memory}"

    def table(self) -> list[Line]:
        first, last, bare = (f"{1000 * seconds:.1f} ms" for seconds in (self.first, self.last, self.bare))
        held, end = f"{self.after_first:.0f} MB", f"{self.ended_at:.0f} MB"
        return [
            Line("a PDF, beside typst alone", last, self.ratio, MOST_TIMES_BARE, bare),
            Line("the last PDFs, beside the first", last, self.drift, MOST_DRIFT, first),
            Line("memory at the end, beside after a tenth", end, self.ended_at / self.after_first, MOST_GROWTH, held),
        ]


def measure(count: int, lines: int) -> Figures:
    """``count`` different invoices of so many lines. Time is the processor's, so that neighbours do not count."""
    from invoicing.invoices.documents.pdf import render_pdf

    render_pdf(_invoice(-1, lines))  # fonts and template are read once a process
    began_at, tenth = _resident(), count // TENTH
    first = _seconds(tenth, lambda n: render_pdf(_invoice(n, lines)))
    after_first = _resident()
    _seconds(count - 2 * tenth, lambda n: render_pdf(_invoice(tenth + n, lines)))
    last = _seconds(tenth, lambda n: render_pdf(_invoice(count - tenth + n, lines)))
    return Figures(mean(first), mean(last), _bare(tenth, lines), began_at, after_first, _resident())


def _seconds(count: int, job: Callable[[int], object]) -> list[float]:
    return [_timed(job, n) for n in range(count)]


def _timed(job: Callable[[int], object], n: int) -> float:
    began = time.process_time()
    job(n)
    return time.process_time() - began


def _bare(count: int, lines: int) -> float:
    """What typst itself takes, with the data made beforehand."""
    from invoicing.invoices.documents import pdf

    ready = [json.dumps(pdf.payload(_invoice(-2 - n, lines)), ensure_ascii=False) for n in range(count)]
    return mean(_seconds(count, lambda n: pdf.compile_pdf(ready[n], pdf.EPOCH)))


def _invoice(n: int, lines: int) -> Any:
    from dataclasses import replace

    from tests.invoicing.documents.samples import CALLS, PLAN, an_invoice

    rows = (PLAN, *(replace(CALLS, name=f"Calls {n} in region {k}", amount=8638 + n + k) for k in range(lines - 1)))
    return an_invoice(number=f"NW-{n:06d}", lines=rows)


def _resident() -> float:
    """Megabytes that are in memory now; where the system does not tell, the most there ever were."""
    status = Path("/proc/self/status")
    if status.exists():
        [line] = [line for line in status.read_text().splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--lines", type=int, default=12)
    options, finish = choose(parser, {"count": 300})
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings.development")
    import django

    django.setup()
    figures = measure(**vars(options))
    sys.stdout.write(f"{figures}\n")
    finish(figures.table())


if __name__ == "__main__":
    main()
