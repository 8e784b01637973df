"""What a run says in the end, as a table that fits a terminal and a document."""

from __future__ import annotations

from collections.abc import Iterator

from billing_portal.torture.run import Result


def report(result: Result) -> str:
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    options = result.options
    yield f"Seed {options.seed}, {options.minutes:g} minutes, {options.customers} customers, {result.months} months."
    yield ", ".join(f"{count} {name}" for name, count in result.counts.items()) + "."
    yield f"People: {', '.join(f'{count} x {verb}' for verb, count in sorted(result.changes.items()))}."
    yield f"Requests of the vendor's program that had to be sent again: {result.asked_again}."
    yield ""
    yield "| fault | times injected |"
    yield "|---|---:|"
    yield from (f"| {name} | {count} |" for name, count in sorted(result.injected.items()) if count)
    yield f"| **all** | **{result.injected.total()}** |"
    yield ""
    yield "| rule | violations |"
    yield "|---|---:|"
    yield from (f"| {name} | {len(found)} |" for name, found in result.violations.items())
    yield ""
    yield from (f"Shown to a person, because nobody can know: {count} {name}." for name, count in left(result))
    yield from (f"Did not come to rest: {count} {name}." for name, count in result.restless.items())
    yield from (f"VIOLATION {name}: {one}" for name, found in result.violations.items() for one in found[:20])


def left(result: Result) -> list[tuple[str, int]]:
    return [(name, count) for name, count in result.left_to_people.items() if count]
