"""/billing_settings of the vendor, and of one customer."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from customers.api.base import VendorView, done
from customers.api.schema import documented
from customers.settings.api.serializers import BillingSettingsAnswer, BillingSettingsInput, given, settings_shape
from customers.settings.policy import policy_for, vendor_policy
from customers.settings.verbs import (
    Saved,
    overridden,
    remove_override,
    reset_vendor_settings,
    save_override,
    save_vendor_settings,
)


class BillingSettingsView(VendorView):
    @documented("get_billing_settings", answer=BillingSettingsAnswer)
    def get(self, request: Request) -> Response:
        return done(settings_shape(vendor_policy(self.vendor)))

    @documented("save_billing_settings", body=BillingSettingsInput, answer=BillingSettingsAnswer)
    def post(self, request: Request) -> Response:
        """Only the fields given change; null sets one back to its default."""
        values = given(request.data)
        saved = save_vendor_settings(self.vendor, values, actor=self.actor, now=self.now, real_now=self.real_now)
        return done(_saved_shape(saved))

    @documented("update_billing_settings", body=BillingSettingsInput, answer=BillingSettingsAnswer)
    def put(self, request: Request) -> Response:
        """The same as POST."""
        return self.post(request)

    @documented("reset_billing_settings")
    def delete(self, request: Request) -> Response:
        """Every setting back to its default."""
        reset_vendor_settings(self.vendor, actor=self.actor, now=self.now, real_now=self.real_now)
        return done()


class CustomerBillingSettingsView(VendorView):
    @documented("get_customer_billing_settings", answer=BillingSettingsAnswer)
    def get(self, request: Request, name: str) -> Response:
        """The settings that apply to the customer; ``overridden`` names those of its own."""
        customer = self.customer(name)
        return done({**settings_shape(policy_for(customer)), "overridden": overridden(customer)})

    @documented("save_customer_billing_settings", body=BillingSettingsInput, answer=BillingSettingsAnswer)
    def post(self, request: Request, name: str) -> Response:
        """Only the fields given change; null lets the customer inherit the vendor's value again."""
        customer = self.customer(name)
        values = given(request.data)
        saved = save_override(customer, values, actor=self.actor, now=self.now, real_now=self.real_now)
        return done({**_saved_shape(saved), "overridden": overridden(customer)})

    @documented("update_customer_billing_settings", body=BillingSettingsInput, answer=BillingSettingsAnswer)
    def put(self, request: Request, name: str) -> Response:
        """The same as POST."""
        return self.post(request, name)

    @documented("remove_customer_billing_settings")
    def delete(self, request: Request, name: str) -> Response:
        """From now on the vendor's settings apply."""
        remove_override(self.customer(name), actor=self.actor, now=self.now, real_now=self.real_now)
        return done()


def _saved_shape(saved: Saved) -> dict[str, object]:
    return {**settings_shape(saved.policy), "rescheduled": saved.moved}
