"""Where static files lie is found out once in a process, not by each test client at its first request.

Every ``Client`` builds the chain of middleware anew, and WhiteNoise then looks at each of two hundred files.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from whitenoise.middleware import WhiteNoiseMiddleware
from whitenoise.responders import Redirect, StaticFile


@pytest.fixture(scope="session", autouse=True)
def static_files_found_once() -> Iterator[None]:
    look = WhiteNoiseMiddleware.add_files_from_finders
    found: dict[str, dict[str, StaticFile | Redirect]] = {}

    def remember(middleware: WhiteNoiseMiddleware) -> None:
        prefix = middleware.static_prefix
        if prefix not in found:
            look(middleware)
            found[prefix] = middleware.files
        middleware.files = {**found[prefix]}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", remember)
        yield
