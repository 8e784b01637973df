"""What the tests asked Stripe's stand-in and what it answered: recorded, counted, and held against the SDK's types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import stripe

from tests.contract import tally
from tests.contract.findings import Report
from tests.contract.stripe_contract import check_exchange

Exchange = dict[str, Any]

# Fields the SDK describes that Stripe itself leaves out unless something calls for them: expansions,
# ``deleted``, other kinds of payment, settings of features this sandbox has no part in.
LEFT_OUT = (
    ".deleted",
    ".payments",
    ".confirmation_secret",
    ".previous_attributes",
    ".cash_balance",
    ".invoice_credit_balance",
    ".sources",
    ".subscriptions",
    ".tax_ids",
    ".tax",
    ".secret",
    ".payment_method_options.",
    ".payment_method_details.",
    ".hooks",
    ".managed_payments",
    ".amount_details.",
    ".payment.charge",
    ".payment.payment_record",
    ".issuer.account",
    ".liability.account",
    ".refunds",
    ".level3",
    ".threshold_reason",
    ".transfer",
    ".description",
    ".destination_details.",
    ".failure_reason",
    ".failure_balance_transaction",
    ".instructions_email",
    ".next_action",
    ".pending_reason",
    ".presentment_details",
    ".radar_options",
    ".attach_to_self",
    ".authorization_code",
    ".line_items",
    ".fraud_details.",
    ".outcome.rule",
    ".outcome.risk_score",
    ".card.iin",
    ".card.issuer",
    ".card.description",
)

OTHER_PAYMENT_KINDS = tuple(
    f".{kind}"
    for kind in sorted(
        set(stripe.PaymentMethod.__annotations__) - {"id", "object", "created", "customer", "metadata", "type", "card"}
    )
)


@dataclass
class Traffic:
    """Every exchange with the sandbox, as the contract checker takes them."""

    exchanges: list[Exchange] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def add(self, exchange: Exchange) -> None:
        with self.lock:
            self.exchanges.append(exchange)

    def calls(self, *, since: int = 0) -> list[tuple[str, str]]:
        """``(method, path)`` of each request to the API."""
        return [(e["method"], e["path"].partition("?")[0]) for e in self.exchanges[since:]]

    def problems(self) -> list[str]:
        """Everything that does not agree with the SDK, each once: violations, fields that Stripe would send as null
        and we leave out, fields that the SDK does not know. Counts the exchanges for the end of the run."""
        tally.count(len(self.exchanges))
        return sorted({problem for exchange in self.exchanges for problem in problems(exchange)})


def problems(exchange: Exchange) -> Iterator[str]:
    report = check_exchange(exchange)
    what = f"{exchange['method']} {exchange['path'].partition('?')[0]} -> {exchange['status']}"
    yield from (f"{what}: {issue}" for issue in _violations(exchange, report))
    if exchange["status"] < 400:
        yield from (f"{what}: leaves out {where}" for where in _left_out(exchange, report))
        yield from (f"{what}: {extra} is unknown to the SDK" for extra in report.extras)


def _violations(exchange: Exchange, report: Report) -> list[str]:
    """An address that nobody serves is refused with 404; tests ask for such, too."""
    return [i for i in report.strings() if exchange["status"] != 404 or not i.startswith("[endpoint]")]


def _left_out(exchange: Exchange, report: Report) -> Iterator[str]:
    """Accounts do not count: they show a platform only what it may see of them."""
    if exchange["path"].startswith("/v1/account"):
        return
    for issue in report.absent:
        where = f".{issue.where}"
        if not any(part in where for part in (*LEFT_OUT, *OTHER_PAYMENT_KINDS)):
            yield where
