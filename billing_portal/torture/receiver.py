"""The vendor's webhook endpoint: it remembers what it was told, and refuses when it is told to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAILURES = (500, 503, 429)
# Seconds until a refusal that met nothing is called off. A refused endpoint is left alone for a minute, then for five:
# did refusals wait for whatever comes next, they would pile up and nothing would be delivered any more.
LAPSES = 10.0


class Receiver:
    """``heard``: the idempotency keys of what was answered 200; ``times``: how often each came."""

    def __init__(self) -> None:
        self.heard: set[str] = set()
        self.times: Counter[str] = Counter()
        self.address = ""
        self._refusals: list[tuple[float, int]] = []
        self._lapsed = 0
        self._lock = threading.Lock()

    @contextmanager
    def listening(self, host: str = "127.0.0.1") -> Iterator[Receiver]:
        server = ThreadingHTTPServer((host, 0), self._handler())
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.address = f"http://{host}:{server.server_port}/events"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()

    def refuse_next(self, status: int) -> None:
        """What comes next, unless it takes longer than ``LAPSES``."""
        with self._lock:
            self._refusals.append((time.monotonic() + LAPSES, status))

    def relent(self) -> int:
        """Refuse no more; answers how many refusals found nothing to refuse, since this was asked last."""
        with self._lock:
            missed, self._lapsed, self._refusals = self._lapsed + len(self._refusals), 0, []
            return missed

    def hear(self, event: dict[str, Any]) -> int:
        """The status to answer with."""
        with self._lock:
            if refusal := self._refusal():
                return refusal
            self.heard.add(event["idempotency_key"])
            self.times[event["idempotency_key"]] += 1
            return 200

    def _refusal(self) -> int | None:
        now = time.monotonic()
        valid = [one for one in self._refusals if one[0] >= now]
        self._lapsed += len(self._refusals) - len(valid)
        self._refusals = valid[1:]
        return valid[0][1] if valid else None

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.send_response(receiver.hear(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                """What came is in ``heard``."""

        return Handler
