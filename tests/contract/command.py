"""The command line."""

from __future__ import annotations

import argparse
import json
import re
import sys
import typing
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import stripe

from tests.contract.annotations import LITERALS, is_resource, is_typeddict, members, param_fields, resource_fields
from tests.contract.checks import check_exchange, check_object, check_response, object_class
from tests.contract.description import describe, sample
from tests.contract.endpoints import endpoints, find_endpoint
from tests.contract.findings import Report


def _say(text: str, file: Any = None) -> None:
    (file or sys.stdout).write(text + "\n")


def _self_test() -> int:
    """Consistency of the introspection itself; prints what it covered."""
    problems: list[str] = []
    table = endpoints()
    for endpoint in table:
        if endpoint.params_annotation and endpoint.params_class is None:
            problems.append(f"{endpoint}: params {endpoint.params_annotation} not resolved")
        if endpoint.returns_annotation not in (None, "Any") and endpoint.returns is typing.Any:
            problems.append(f"{endpoint}: returns {endpoint.returns_annotation} not resolved")
        concrete = re.sub(r"\{[^}]*\}", "x_1", endpoint.template)
        match = find_endpoint(endpoint.method, concrete)
        if match is not endpoint:
            problems.append(f"{endpoint}: {concrete} routes to {match}")
        if endpoint.returns_annotation and not endpoint.returns_annotation.startswith("StripeStream"):
            for line in check_response(endpoint.method, concrete, sample(endpoint.method, concrete)):
                problems.append(f"{endpoint}: own sample fails: {line}")
    unresolved: set[str] = set()
    visited: set[type] = set()
    queue = [e.params_class for e in table if e.params_class]
    resources: list[type] = []
    from stripe._object_classes import OBJECT_CLASSES

    for name in OBJECT_CLASSES:
        cls = object_class(name)
        if cls:
            resources.append(cls)

    def walk(annotation: Any, module: str, owner: str) -> None:
        for option, option_module in members(annotation, module):
            if option is typing.Any:
                text = str(annotation)
                if "Any" not in text:
                    unresolved.add(f"{owner}: {text}")
            for inner in typing.get_args(option):
                if typing.get_origin(option) not in LITERALS:
                    walk(inner, option_module, owner)
            if is_typeddict(option) and option not in visited:
                visited.add(option)
                for name, (a, m, _) in param_fields(option).items():
                    walk(a, m, f"{option.__name__}.{name}")
            elif is_resource(option) and option not in visited:
                visited.add(option)
                for name, spec in resource_fields(option).items():
                    walk(spec.annotation, spec.module, f"{option.__qualname__}.{name}")

    for cls in [*queue, *resources]:
        walk(cls, cls.__module__, cls.__name__)
    problems += [f"annotation not understood: {u}" for u in sorted(unresolved)]
    _say(f"stripe {stripe.VERSION}, API {stripe.api_version}")
    _say(f"{len(table)} endpoints, {len(visited)} classes walked, {len(problems)} problems")
    for line in problems[:50]:
        _say("  " + line)
    return 1 if problems else 0


def _records(path: str) -> Iterator[tuple[str, Any]]:
    with sys.stdin if path == "-" else open(path, encoding="utf-8") as handle:
        for number, line in enumerate(handle, 1):
            line = line.strip()
            if not line or line.startswith("#"):
                continue
            try:
                yield f"{path}:{number}", json.loads(line)
            except ValueError as error:
                yield f"{path}:{number}", error


def _emit(label: str, report: Report, options: argparse.Namespace, totals: Counter) -> bool:
    """Print one report; True when it holds a violation that counts."""
    ignored = set(filter(None, (options.ignore or "").split(",")))
    issues = [i for i in report.issues if i.kind not in ignored]
    for issue in issues:
        totals[issue.kind] += 1
    totals["extra"] += len(report.extras)
    bad = bool(issues) or (options.fail_on_extra and bool(report.extras))
    if options.json:
        _say(
            json.dumps(
                {
                    "record": label,
                    "endpoint": str(report.endpoint) if report.endpoint else None,
                    "violations": [vars(i) for i in issues],
                    "extra": [i.where for i in report.extras],
                }
            )
        )
        return bad
    shown = issues[: options.limit] if options.limit else issues
    if issues and not options.quiet:
        _say(f"{label}  {report.endpoint or ''}".rstrip())
        for issue in shown:
            _say(f"    {issue}")
        if len(shown) < len(issues):
            _say(f"    ... {len(issues) - len(shown)} more")
    if report.absent and options.show_absent:
        _say(f"{label}  absent: " + ", ".join(sorted({i.where for i in report.absent})))
    if report.extras and options.show_extra:
        if not issues:
            _say(f"{label}  {report.endpoint or ''}".rstrip())
        _say("    extra fields: " + ", ".join(sorted({i.where for i in report.extras})))
    return bad


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Check Stripe traffic against the annotations of the installed SDK.")
    parser.add_argument("files", nargs="*", help="JSON lines (or bare JSON with --object); - is stdin")
    parser.add_argument("--object", action="store_true", help="files hold bare objects or events")
    parser.add_argument("--endpoints", metavar="REGEX", nargs="?", const=".", help="list endpoints")
    parser.add_argument("--describe", nargs=2, metavar=("METHOD", "PATH"))
    parser.add_argument("--sample", nargs=2, metavar=("METHOD", "PATH"), help="print a minimal body")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("--ignore", help="comma-separated kinds that do not count")
    parser.add_argument("--show-extra", action="store_true")
    parser.add_argument("--fail-on-extra", action="store_true")
    parser.add_argument(
        "--show-absent",
        action="store_true",
        help="also name the optional fields a response leaves out (Stripe mostly sends them as null)",
    )
    parser.add_argument("--limit", type=int, default=0, help="violations shown per record")
    parser.add_argument("--quiet", action="store_true", help="summary only")
    parser.add_argument("--json", action="store_true", help="one JSON line per record")
    options = parser.parse_args(argv)

    if options.self_test:
        return _self_test()
    if options.endpoints is not None:
        pattern = re.compile(options.endpoints)
        for e in endpoints():
            if pattern.search(str(e)):
                cls = e.params_class
                _say(f"{str(e):70} {cls.__name__ if cls else '-':45} {e.returns_annotation}")
        return 0
    if options.describe:
        _say(describe(*options.describe))
        return 0
    if options.sample:
        try:
            _say(json.dumps(sample(*options.sample), indent=2))
        except LookupError as error:
            _say(f"no such endpoint: {error}", file=sys.stderr)
            return 2
        return 0
    if not options.files:
        parser.print_usage(sys.stderr)
        return 2

    totals: Counter = Counter()
    records = failed = unusable = 0
    for name in options.files:
        try:
            if options.object:
                with open(name, encoding="utf-8") as handle:
                    items: Iterable[tuple[str, Any]] = [(name, json.load(handle))]
            else:
                items = _records(name)
            for label, item in items:
                records += 1
                if isinstance(item, Exception) or not isinstance(item, Mapping):
                    unusable += 1
                    _say(f"{label}: unusable line: {item}", file=sys.stderr)
                    continue
                report = check_object(item) if options.object else check_exchange(item)
                failed += _emit(label, report, options, totals)
        except (OSError, ValueError) as error:
            unusable += 1
            _say(f"{name}: {error}", file=sys.stderr)
    extras = totals.pop("extra", 0)
    kinds = ", ".join(f"{k} {n}" for k, n in totals.most_common()) or "none"
    if not options.json:
        _say(
            f"\n{records} records, {failed} with violations, {unusable} unusable; "
            f"violations: {kinds}; extra fields: {extras}"
        )
    if unusable:
        return 2
    return 1 if failed else 0
