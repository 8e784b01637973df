"""Every exchange as a line of JSON in a file, for whoever wants to look at them afterwards. Off unless
``SANDBOX_RECORD`` names a file; the header that carries the key is left out."""

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from payments.sandbox.server import GARBAGE

# What Stripe itself would be asked, and not what belongs to this sandbox alone.
PLACES = ("/v1/", "/oauth/token", "/oauth/deauthorize")


def note(request: HttpRequest, response: HttpResponse) -> None:
    name: str = getattr(settings, "SANDBOX_RECORD", "")
    if name and request.path.startswith(PLACES) and response.content != GARBAGE.encode():
        _append(Path(name), json.dumps(_exchange(request, response)) + "\n")


def _append(path: Path, line: str) -> None:
    """One write of a file that is opened to append to, so that lines of several threads do not mix."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def _exchange(request: HttpRequest, response: HttpResponse) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.get_full_path(),
        "params": request.body.decode() if request.method == "POST" else None,
        "status": response.status_code,
        "response": json.loads(response.content),
        "headers": {name: value for name, value in request.headers.items() if name != "Authorization"},
    }
