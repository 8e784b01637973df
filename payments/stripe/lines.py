"""The lines of a Stripe invoice: at most 250, one for each of ours as long as they fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from math import floor
from typing import Any

from invoicing.gateways import OrderLine
from payments.stripe import texts

MOST_LINES = 250
MORE = "… and {count} more lines, see the attached detail"

JSON = dict[str, Any]


def fitting(lines: Sequence[OrderLine]) -> list[OrderLine]:
    """At most as many lines as Stripe takes, with the same sum. What does not fit is put together by
    component or name, and in one line where even those are too many; our own document has the detail."""
    if len(lines) <= MOST_LINES:
        return list(lines)
    kept = _kept(lines)
    if kept is None:
        return [*lines[: MOST_LINES - 1], _together("", lines[MOST_LINES - 1 :])]
    groups: dict[str, list[OrderLine]] = {}
    for line in lines[kept:]:
        groups.setdefault(line.group, []).append(line)
    return [*lines[:kept], *(_together(name, some) for name, some in groups.items())]


def _kept(lines: Sequence[OrderLine]) -> int | None:
    """How many lines can stand for themselves when the rest is grouped; None where there are too many groups."""
    behind: Counter[str] = Counter()
    for kept in range(len(lines) - 1, -1, -1):
        behind[lines[kept].group] += 1
        if kept + len(behind) <= MOST_LINES:
            return kept
    return None


def _together(name: str, lines: Sequence[OrderLine]) -> OrderLine:
    if len(lines) == 1:
        return lines[0]
    return OrderLine(
        reference=lines[0].reference,
        description=f"{name} {MORE.format(count=len(lines))}".strip(),
        amount=sum(line.amount for line in lines),
        period_start=min(line.period_start for line in lines),
        period_end=max(line.period_end for line in lines),
        group=name,
    )


def without_credits(lines: Sequence[OrderLine]) -> list[OrderLine]:
    """The same sum without negative lines, which automatic tax does not take: credits and discounts lower the
    other lines, each in proportion. Nothing to tax is left where they outweigh them."""
    gross = sum(line.amount for line in lines if line.amount > 0)
    net = sum(line.amount for line in lines)
    charged = [line for line in lines if line.amount > 0]
    if net == gross or net <= 0:
        return charged if net > 0 else []
    shares = apportion(net, [Fraction(net * line.amount, gross) for line in charged])
    return [_lowered(line, share) for line, share in zip(charged, shares, strict=True)]


def _lowered(line: OrderLine, amount: int) -> OrderLine:
    text = texts.cut(line.description, texts.LINE - 30)
    return OrderLine(
        line.reference, f"{text} (after discounts)", amount, line.period_start, line.period_end, line.group
    )


def apportion(amount: int, exact: Sequence[Fraction]) -> list[int]:
    """Exact shares as whole parts that together are the amount: rounded down, and what that leaves over goes to
    the largest remainders, one each."""
    parts = [floor(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda n: exact[n] - parts[n], reverse=True)
    for n in range(amount - sum(parts)):
        parts[by_remainder[n % len(parts)]] += 1
    return parts


def params(lines: Sequence[OrderLine], tax_amounts: Sequence[JSON]) -> JSON:
    """What is sent, all lines in one call; ``tax_amounts`` is empty or has an entry for each line."""
    sent = [_line(line) for line in lines]
    for line, tax in zip(sent, tax_amounts, strict=bool(tax_amounts)):
        line["tax_amounts"] = [tax]
    return {"lines": sent}


def _line(line: OrderLine) -> JSON:
    return {
        "amount": line.amount,
        "description": texts.cut(line.description, texts.LINE),
        "period": {"start": _epoch(line.period_start), "end": _epoch(line.period_end)},
        "metadata": {"portal_line": line.reference},
    }


def _epoch(iso: str) -> int:
    return int(datetime.fromisoformat(iso).timestamp())
