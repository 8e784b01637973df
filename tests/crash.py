"""Killing a process in the middle, without a process: the n-th thing it does is the last.

A "thing" is an SQL statement, or a request to Stripe before it is sent, or its answer on the way back. What
a transaction had open is rolled back, what was committed stays, what Stripe did stays done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import requests
from django.db import connection


class Killed(BaseException):
    """Not an Exception: no handler may catch it, as none can catch SIGKILL."""


class Fuse:
    def __init__(self, steps: int) -> None:
        self.left = steps
        self.done: list[str] = []

    def burn(self, what: str) -> None:
        self.done.append(what)
        if len(self.done) > self.left:
            raise Killed(what)


@contextmanager
def killed_after(steps: int) -> Iterator[Fuse]:
    """The block dies after its ``steps``-th thing; with a large number it survives and ``done`` tells them."""
    fuse = Fuse(steps)
    send = requests.Session.send

    def statement(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        fuse.burn(sql)
        return result

    def request(session: requests.Session, prepared: requests.PreparedRequest, **options: Any) -> requests.Response:
        fuse.burn(f"before {prepared.method} {prepared.path_url}")
        response = send(session, prepared, **options)
        fuse.burn(f"after {prepared.method} {prepared.path_url}")
        return response

    with connection.execute_wrapper(statement), mock.patch.object(requests.Session, "send", request):
        yield fuse
