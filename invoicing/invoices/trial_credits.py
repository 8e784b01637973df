"""The credit of a trial: taken off a subscription's invoices, one after the other, until it is used up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Sum

from customers.money import format_money
from invoicing.invoices.models import LineItem
from invoicing.rating.ahead import TRIAL_CREDIT
from invoicing.rating.minimums import counted
from invoicing.rating.terms import LineKind, RatedLine
from invoicing.subscriptions.models import BillingCycle, Subscription


class TrialCredits:
    """What is left of each subscription's. The invoices that there are have taken the rest: one query, or none."""

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        having = {one.pk: one.trial_credit for one in subscriptions if one.trial_credit}
        taken = _taken(having) if having else {}
        self._left = {pk: credit + taken.get(pk, 0) for pk, credit in having.items()}

    def take(self, cycle: BillingCycle, lines: Sequence[RatedLine], *, in_advance: bool = False) -> list[RatedLine]:
        """The lines of one cycle, and at their end what the credit pays of them. It pays no ad-hoc charges."""
        left, until = self._left.get(cycle.subscription_id, 0), cycle.subscription.trial_credit_until
        amount = min(left, max(counted(lines), 0))
        if amount <= 0 or until is not None and cycle.start >= until:
            return list(lines)
        self._left[cycle.subscription_id] = left - amount
        return [*lines, _line(cycle, amount, left - amount, in_advance)]


def _taken(subscriptions: Iterable[int]) -> dict[int, int]:
    rows = LineItem.objects.filter(invoice__subscription__in=list(subscriptions), kind=LineKind.DISCOUNT)
    rows = rows.filter(metadata__discount_uuid=TRIAL_CREDIT)
    sums = rows.values("invoice__subscription").annotate(taken=Sum("amount"))
    return {row["invoice__subscription"]: row["taken"] for row in sums}


def _line(cycle: BillingCycle, amount: int, left: int, in_advance: bool) -> RatedLine:
    money = format_money(left, cycle.subscription.price_plan.currency)
    return RatedLine(
        kind=LineKind.DISCOUNT,
        name="Trial credit",
        description=f"{money} of the trial's credit is left" if left else "the trial's credit is used up",
        quantity=None,
        quantity_unit="",
        unit_price=None,
        amount=-amount,
        start=cycle.start,
        end=cycle.end,
        metadata={"discount_uuid": TRIAL_CREDIT, "scope": "TRIAL_CREDIT", "applies_to": amount, "left": left},
        in_advance=in_advance,
    )
