"""Is this a VAT id? Its form is checked, country by country where it says its country; whether it was given out to
anybody is not."""

from __future__ import annotations

import re

from customers.countries import country_code

# As the European Commission describes them for its VIES service, then three neighbours.
_FORMS = {
    "AT": r"U\d{8}",
    "BE": r"[01]\d{9}",
    "BG": r"\d{9,10}",
    "CY": r"\d{8}[A-Z]",
    "CZ": r"\d{8,10}",
    "DE": r"\d{9}",
    "DK": r"\d{8}",
    "EE": r"\d{9}",
    "EL": r"\d{9}",
    "ES": r"[A-Z\d]\d{7}[A-Z\d]",
    "FI": r"\d{8}",
    "FR": r"[A-Z\d]{2}\d{9}",
    "HR": r"\d{11}",
    "HU": r"\d{8}",
    "IE": r"\d[A-Z\d]\d{5}[A-Z]{1,2}",
    "IT": r"\d{11}",
    "LT": r"(\d{9}|\d{12})",
    "LU": r"\d{8}",
    "LV": r"\d{11}",
    "MT": r"\d{8}",
    "NL": r"[A-Z\d+*]{10}\d{2}",
    "PL": r"\d{10}",
    "PT": r"\d{9}",
    "RO": r"\d{2,10}",
    "SE": r"\d{12}",
    "SI": r"\d{8}",
    "SK": r"\d{10}",
    "XI": r"(\d{9}|\d{12}|GD\d{3}|HA\d{3})",
    "GB": r"(\d{9}|\d{12}|GD\d{3}|HA\d{3})",
    "CH": r"E\d{9}(MWST|TVA|IVA)?",
    "NO": r"\d{9}(MVA)?",
}
EUROPEAN = frozenset(_FORMS) - {"GB", "CH", "NO"}
# Greece and Northern Ireland write another prefix than their country's code.
_COUNTRY_OF_PREFIX = {"EL": "GR", "XI": "GB"}
_ANY = re.compile(r"(?=.*\d)[A-Z\d+*]{4,20}")


def compact(vat_id: str) -> str:
    """Without what people put between the digits."""
    return re.sub(r"[\s./-]", "", vat_id).upper()


def prefix_of(vat_id: str, country: str) -> str:
    """The country that the id says it is of; empty where it says none. An id that happens to begin with the letters
    of one country although its holder is in another is not taken for it."""
    prefix = compact(vat_id)[:2]
    holder = country_code(country)
    is_theirs = not holder or holder == _COUNTRY_OF_PREFIX.get(prefix, prefix)
    return prefix if prefix in _FORMS and is_theirs else ""


def problem_with(vat_id: str, country: str) -> str:
    """What is wrong with its form, and the remedy; empty where nothing is."""
    number, prefix = compact(vat_id), prefix_of(vat_id, country)
    if prefix and not re.fullmatch(_FORMS[prefix], number[2:]):
        return f"{vat_id!r} does not have the form of a VAT id of {prefix}. Check its digits."
    if not _ANY.fullmatch(number):
        return f"{vat_id!r} is not a VAT id: give 4 to 20 letters and digits, for example DE123456789."
    return ""
