"""Countries as people write them."""

from __future__ import annotations

from functools import cache

from babel import Locale


def country_code(country: str) -> str:
    """Two letters for a country's name or code; empty when neither is recognized."""
    wanted = country.strip()
    names = _codes_by_name()
    if wanted.upper() in names.values():
        return wanted.upper()
    return names.get(wanted.casefold(), "")


@cache
def _codes_by_name() -> dict[str, str]:
    return {name.casefold(): code for code, name in Locale("en").territories.items() if len(code) == 2}
