"""/test_clock: what time it is for the vendor, and moving that time forward."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Literal, TypedDict

from django.db import transaction
from kombu.exceptions import OperationalError
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import StrictSerializer, VendorView, done
from customers.api.schema import documented
from customers.clock import move_forward
from customers.tasks import drive_clock
from customers.vendor import Vendor

logger = logging.getLogger(__name__)


class TestClockInput(StrictSerializer):
    now = serializers.DateTimeField(help_text="The moment to move to, at or after the vendor's present one.")


class TestClockAnswer(TypedDict):
    now: datetime
    status: Literal["advancing", "ready"]


class TestClockView(VendorView):
    """``status`` is ``advancing`` until everything that falls due on the way is done, then ``ready``."""

    @documented("get_test_clock", answer=TestClockAnswer)
    def get(self, request: Request) -> Response:
        return done(self._shape(self.vendor))

    @documented("move_test_clock", body=TestClockInput, answer=TestClockAnswer)
    def post(self, request: Request) -> Response:
        target = self.read(TestClockInput)["now"]
        vendor = move_forward(self.vendor, target, actor=self.actor, real_now=self.real_now)
        transaction.on_commit(lambda: _drive(vendor))
        return done(self._shape(vendor))

    def _shape(self, vendor: Vendor) -> TestClockAnswer:
        return {"now": vendor.now(self.real_now), "status": "advancing" if vendor.clock_is_advancing else "ready"}


def _drive(vendor: Vendor) -> None:
    """Start at once. Where the broker is out of reach the next tick starts it: the target is stored."""
    try:
        drive_clock.delay(vendor.pk)
    except OperationalError as error:
        logger.warning("The clock of %s starts with the next tick: %s", vendor, error)
