"""The vendor's own program: it sends a request until it is answered, with the same idempotency key each time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import requests

PATIENCE = 300.0
PAUSE = 0.3
# A portal without its servers.
AGAIN = frozenset({429, 500, 502, 503, 504})
# The same request is still at work, or was when its process died; any other 409 is a refusal.
BUSY, SAYS_BUSY = 409, "octane-should-retry"


class Unanswered(Exception):
    """Nobody answered for longer than any fault lasts."""


class Refused(Exception):
    """The portal understood and said no."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text[:500]}")
        self.status = status


class Portal:
    """``failures`` counts the answers that were not had at the first try."""

    def __init__(self, url: str, api_key: str, now: Callable[[], float] = time.monotonic) -> None:
        self._api = f"{url}/api/v1"
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._now = now
        self.failures = 0

    def get(self, path: str, **params: Any) -> Any:
        return self._insist("GET", path, params=params)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        return self._insist(method, path, json=body, key=str(uuid.uuid4()))

    def _insist(self, method: str, path: str, *, key: str = "", **given: Any) -> Any:
        headers = self._headers | ({"Idempotency-Key": key} if key else {})
        deadline = self._now() + PATIENCE
        while self._now() < deadline:
            answer = self._try(method, path, headers, given)
            if answer is not None and answer.status_code < 300:
                return answer.json()
            if answer is not None and not _is_worth_another(answer):
                raise Refused(answer.status_code, answer.text)
            self.failures += 1
            time.sleep(PAUSE)
        raise Unanswered(f"{method} {path} for {PATIENCE:.0f} seconds")

    def _try(self, method: str, path: str, headers: dict[str, str], given: dict[str, Any]) -> requests.Response | None:
        try:
            return requests.request(method, self._api + path, headers=headers, timeout=30, **given)
        except requests.RequestException:
            return None


def _is_worth_another(answer: requests.Response) -> bool:
    busy = answer.status_code == BUSY and answer.headers.get(SAYS_BUSY) == "true"
    return busy or answer.status_code in AGAIN
