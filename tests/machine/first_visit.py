"""What a browser fetches on a first visit, weighed: the page after the sign-in, and all that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import requests
from requests.compat import urljoin

FOREVER = "max-age=315360000, public, immutable"
NAMED = re.compile(r"""(?:href|src)="(/static/[^"]+)\"""")
FONT = re.compile(r"""url\("?([^")]+\.woff2)"?\)""")

BUDGET = 300_000
BUDGET_OF_FONTS = 150_000


def weigh(ready: Mapping[str, Any]) -> None:
    """Small enough, and kept by browsers for good."""
    visit = requests.Session()
    page = _signed_in(visit, ready)
    files = [_fetched(visit, ready["url"] + path) for path in dict.fromkeys(NAMED.findall(page.text))]
    assert len(files) > 8
    assert _weight(page) + sum(_weight(file) for file in files) < BUDGET
    fonts = [_fetched(visit, address) for file in files for address in _fonts(file)]
    assert len(fonts) == 5
    assert sum(_weight(font) for font in fonts) < BUDGET_OF_FONTS


def _signed_in(visit: requests.Session, ready: Mapping[str, Any]) -> requests.Response:
    address = ready["url"] + "/sign-in/"
    form = visit.get(address, timeout=10)
    [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form.text)
    credentials = {"username": ready["operator"], "password": ready["password"], "csrfmiddlewaretoken": token}
    page = visit.post(address, credentials, timeout=10)
    assert "<h1>Dashboard</h1>" in page.text
    return page


def _fetched(visit: requests.Session, address: str) -> requests.Response:
    answer = visit.get(address, timeout=10)
    assert answer.status_code == 200, address
    assert answer.headers["Cache-Control"] == FOREVER, address
    return answer


def _fonts(file: requests.Response) -> Iterator[str]:
    if file.url.endswith(".css"):
        yield from (urljoin(file.url, path) for path in FONT.findall(file.text))


def _weight(answer: requests.Response) -> int:
    """As it came over the line."""
    return int(answer.headers.get("Content-Length", len(answer.content)))
