"""Refusals. Each says what is wrong, where, and what to do; nothing was changed when one is raised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Refused(Exception):
    """A request that cannot be carried out. ``code`` is for machines, the message for people."""

    code = "refused"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.code


class Invalid(Refused):
    """Bad input. ``errors`` maps each field to what is wrong with it and how to mend it."""

    code = "invalid"

    def __init__(self, errors: Mapping[str, Sequence[str] | str]) -> None:
        self.errors = {name: [e] if isinstance(e, str) else list(e) for name, e in errors.items()}
        super().__init__("; ".join(f"{name}: {' '.join(e)}" for name, e in self.errors.items()))


class Conflict(Refused):
    """The thing's present state does not allow it."""

    code = "conflict"


class Busy(Conflict):
    """It passes by itself: the same request may go through in a while."""

    code = "busy"


class Missing(Refused):
    """No such thing, as far as this vendor is concerned."""

    code = "not_found"
