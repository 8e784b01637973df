"""/next_invoice_number"""

from __future__ import annotations

from typing import Annotated, TypedDict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.schema import documented
from customers.settings.policy import vendor_policy
from invoicing.invoices.numbering import NextNumber, next_number, start_at


class NextNumberInput(StrictSerializer):
    # What it makes follows from the pattern; an answer may be sent back.
    ignored = frozenset({"next_invoice_number"})

    next_number = serializers.IntegerField(min_value=1, help_text="The counter of the next invoice.")


class NextNumberAnswer(TypedDict):
    next_number: int
    next_invoice_number: Annotated[str, "What the pattern of the billing settings makes of it."]


class NextNumberView(VendorView):
    @documented("get_next_invoice_number", answer=NextNumberAnswer)
    def get(self, request: Request) -> Response:
        """Of the series that the vendor's pattern counts in now."""
        policy = vendor_policy(self.vendor)
        return done(_shape(next_number(self.vendor, policy, real_now=self.real_now)))

    @documented("set_next_invoice_number", body=NextNumberInput, answer=NextNumberAnswer)
    def put(self, request: Request) -> Response:
        """For a vendor that comes from another system. Numbers that were given are never given again."""
        value = self.read(NextNumberInput)["next_number"]
        return done(_shape(start_at(self.vendor, value, actor=self.actor, now=self.now, real_now=self.real_now)))


def _shape(following: NextNumber) -> NextNumberAnswer:
    return {"next_number": following.value, "next_invoice_number": following.text}
