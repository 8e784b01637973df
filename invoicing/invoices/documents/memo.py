"""The memo printed on invoices: free text with a few variables in single braces."""

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class MemoVariable:
    """A name that may stand in braces, and what it becomes."""

    name: str
    help: str


MEMO_VARIABLES = (
    MemoVariable("invoice_id", "The invoice's id."),
    MemoVariable("billing_cycle_start", "The first day of the billing cycle."),
    MemoVariable("billing_cycle_end", "The last day of the billing cycle."),
    MemoVariable("min_item_start_time", "The earliest day that any line item covers."),
    MemoVariable("max_item_end_time", "The latest day that any line item covers."),
    MemoVariable("customer_display_name", "The customer's display name, or its name where it has none."),
    MemoVariable("customer_name", "The customer's name, the code your systems use."),
)
_NAMES = frozenset(variable.name for variable in MEMO_VARIABLES)

# Exactly one brace on either side: "{{name}}" and "{ name }" are text, not variables.
_VARIABLE = re.compile(r"(?<!\{)\{([A-Za-z_][A-Za-z0-9_]*)\}(?!\})")


def render_memo(template: str, variables: Mapping[str, str]) -> str:
    """The memo with its variables filled in; whatever is not one of them stays as typed.

    Values are placed once: braces in a customer's name are not looked at again.
    """
    return _VARIABLE.sub(lambda found: _value(found, variables), template)


def unknown_variables(template: str) -> list[str]:
    """Names in braces that mean nothing, each once, in the order they are typed."""
    return list(dict.fromkeys(name for name in _VARIABLE.findall(template) if name not in _NAMES))


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name = found.group(1)
    return variables.get(name, found.group(0)) if name in _NAMES else found.group(0)
