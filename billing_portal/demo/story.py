"""What happens when: the demonstration's half year, told in chapters.

Each chapter may be told again without effect, so a story that was interrupted goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from billing_portal.demo import cast
from billing_portal.demo.cast import Person
from billing_portal.demo.desk import Desk
from billing_portal.demo.entering import billed_from, enter, enter_catalog, enter_usage, save_card
from billing_portal.demo.months import Months
from customers.actors import Actor
from customers.customer import Customer
from customers.vendor import Vendor

# The last months stay as they are, so that somebody who looks at the portal finds work to do.
WAITING = 1
UNPAID = 2

OUTAGE = "Waived in full: the outage of that month was ours."
FAILED_BUILDS = "Billed for builds that failed on our side; agreed with the customer on the phone."


@dataclass(frozen=True)
class Chapter:
    at: datetime
    tell: Callable[[], None]


class Story:
    """``person`` works at the vendor and does by hand what is done by hand; ``people`` are the customers."""

    def __init__(self, vendor: Vendor, months: Months, person: Actor, people: Sequence[Person]) -> None:
        self.vendor = vendor
        self.months = months
        self.people = people
        self.person = person
        self.desk = Desk(vendor, person)

    def chapters(self) -> Iterator[Chapter]:
        """In order, up to the present."""
        for number in range(self.months.running + 1):
            yield Chapter(self.months.eve(number), partial(self.eve, number))
            if self.months.desk_day(number) < self.months.until:
                yield Chapter(self.months.desk_day(number), partial(self.desk_day, number))

    def eve(self, number: int) -> None:
        """Before a month begins: new customers are entered, and the month's measurements lie ready."""
        if number == 0:
            enter_catalog(self.vendor, self.person)
        for person in self.people:
            if self._first_month(person) == number:
                enter(self.vendor, person, self.months, self.person)
        if number == self.months.running - UNPAID + 1:
            save_card(Customer.objects.of(self.vendor).get(name=cast.CARD_FAILS), cast.FAILING)
        enter_usage(self.vendor, [each for each in self.people if self._is_there(each, number)], self.months, number)

    def _first_month(self, person: Person) -> int:
        return self.months.number_of(billed_from(person, self.months))

    def _is_there(self, person: Person, number: int) -> bool:
        has_left = person.name == cast.LEAVES and number > self.months.running - 2
        return self._first_month(person) <= number and not has_left

    def desk_day(self, number: int) -> None:
        """Invoices of the months before are looked at, and money that came other ways is noted."""
        start, running, desk = self.months.start, self.months.running, self.desk
        desk.approve(cast.APPROVED_BY_HAND, before=start(running - WAITING))
        desk.void(cast.BANK_TRANSFER, since=start(1), before=start(2), reason=OUTAGE)
        desk.void(cast.NO_CARD, since=start(1), before=start(2), reason=FAILED_BUILDS)
        desk.note_transfer(cast.BANK_TRANSFER, before=start(running - UNPAID))
        desk.note_transfer(cast.NO_CARD, before=start(1))
        if number == running - 2:
            desk.end_subscription(cast.LEAVES)
