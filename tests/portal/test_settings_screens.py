"""Settings -> Invoicing & Payments, and a customer's overrides."""

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from customers.events.models import Event
from customers.models import BillingSettings, BillingSettingsOverride
from customers.settings.policy import SETTINGS, Source, policy_for, vendor_policy
from invoicing.invoices.reschedule import would_move
from invoicing.models import Invoice, InvoiceDocument, LogoFile
from tests.portal.scene import NOW, Scene

SignedIn = Callable[..., Client]


def typed(form: Any) -> dict[str, str]:
    """What a browser would send back if nothing was touched."""
    sent = {}
    for field in form:
        value = field.value()
        if value is True:
            sent[field.html_name] = "on"
        elif value is not False and value is not None:
            prepared = form.fields[field.name].prepare_value(value)
            sent[field.html_name] = str(prepared)
    return sent


def vendor_form(client: Client) -> dict[str, str]:
    return typed(client.get(reverse("portal:billing_settings")).context["form"])


def override_form(client: Client, name: str) -> dict[str, str]:
    return typed(client.get(reverse("portal:customer_settings", args=[name])).context["form"])


def test_every_setting_is_on_the_screen(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().get(reverse("portal:billing_settings")).content.decode()
    missing = [s.name for s in SETTINGS if f'name="{s.name}"' not in page]
    assert missing == []


def test_saving_untouched_changes_nothing(scene: Scene, signed_in: SignedIn) -> None:
    before = BillingSettings.objects.filter(vendor=scene.vendor).values(*[s.name for s in SETTINGS]).get()
    client = signed_in()
    assert client.post(reverse("portal:billing_settings"), vendor_form(client)).status_code == 302
    after = BillingSettings.objects.filter(vendor=scene.vendor).values(*[s.name for s in SETTINGS]).get()
    assert after == before
    assert not Event.objects.of(scene.vendor).filter(kind="billing_settings.changed").exists()


def test_saving_keeps_what_was_typed_and_tells_what_moved(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    sent = vendor_form(client) | {
        "payment_grace_period_length": "5",
        "tax_rate": "7.7",
        "invoice_memo": "Thank you, {customer_display_name}",
        "past_due_reminder_days_array": "1, 7, 14",
        "customer_invoice_detail_level": "SUMMARY",
    }
    sent.pop("charges_enabled")
    page = client.post(reverse("portal:billing_settings"), sent, follow=True).content.decode()
    policy = vendor_policy(scene.vendor)
    assert policy.payment_grace_period_length == 5
    assert policy.tax_rate == Decimal("7.7")
    assert policy.invoice_memo == "Thank you, {customer_display_name}"
    assert policy.past_due_reminder_days_array == (1, 7, 14)
    assert policy.customer_invoice_detail_level == "SUMMARY"
    assert policy.charges_enabled is False
    assert policy.days_until_due == 30
    assert policy.sources.get("days_until_due", Source.DEFAULT) is Source.DEFAULT
    assert "The settings are saved." in page
    event = Event.objects.of(scene.vendor).get(kind="billing_settings.changed")
    assert event.actor_label == scene.operators[Role.OWNER].email


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("payment_grace_period_length", "-1"),
        ("payment_grace_period_length", "many"),
        ("payment_grace_period_unit", "fortnight"),
        ("tax_rate", "101"),
        ("past_due_reminder_days_array", "1, soon"),
        ("days_until_due", ""),
    ],
)
def test_bad_values_are_named_and_nothing_is_saved(scene: Scene, signed_in: SignedIn, field: str, value: str) -> None:
    client = signed_in()
    before = vendor_policy(scene.vendor)
    response = client.post(
        reverse("portal:billing_settings"), vendor_form(client) | {field: value, "retry_attempts": "9"}
    )
    assert response.status_code == 200
    assert response.context["form"].errors.keys() == {field}
    assert "Nothing was saved" in response.content.decode()
    assert vendor_policy(scene.vendor) == before


@pytest.mark.parametrize("role", [Role.BILLING, Role.SUPPORT, Role.READ_ONLY])
def test_only_owners_save_the_vendors_settings(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    before = vendor_policy(scene.vendor)
    client = signed_in(role)
    sent = vendor_form(client) | {"days_until_due": "3"}
    assert client.post(reverse("portal:billing_settings"), sent).status_code == 403
    assert vendor_policy(scene.vendor) == before


def test_a_setting_without_effect_says_so_beside_it(scene: Scene, signed_in: SignedIn) -> None:
    BillingSettings.objects.filter(vendor=scene.vendor).update(should_send_invoice_to_customers=False)
    page = signed_in().get(reverse("portal:billing_settings")).content.decode()
    assert "Has no effect while “Enable Invoice Delivery” is off" in page


def test_who_overrides_is_shown(scene: Scene, signed_in: SignedIn) -> None:
    page = signed_in().get(reverse("portal:billing_settings")).content.decode()
    assert "Applies to 9 customers; 1 has overrides:" in page
    assert reverse("portal:customer_settings", args=["wayne"]) in page


def test_each_setting_leads_to_the_customers_with_a_value_of_their_own(scene: Scene, signed_in: SignedIn) -> None:
    BillingSettingsOverride.objects.create(
        vendor=scene.vendor, customer=scene.customers["acme"], updated_at=NOW, retry_frequency_unit="hour"
    )
    client, customers = signed_in(Role.READ_ONLY), reverse("portal:customers")
    page = client.get(reverse("portal:billing_settings")).content.decode()
    linked = dict(re.findall(r'href="[^"]*\?overrides=(\w+)">(\d+) customer', page))
    assert linked == {"invoice_via_octane": "1", "days_until_due": "1", "retry_frequency_length": "1"}
    found = client.get(customers, {"overrides": "days_until_due"}).context["rows"]
    assert [row.customer.name for row in found] == ["wayne"]
    found = client.get(customers, {"overrides": "retry_frequency_length"}).context["rows"]
    assert [row.customer.name for row in found] == ["acme"]


def test_what_saving_would_move_is_shown_before_it(
    scene: Scene, signed_in: SignedIn, django_assert_num_queries: Any
) -> None:
    client = signed_in()
    sent = vendor_form(client) | {"payment_grace_period_length": "9"}
    moves = client.post(reverse("portal:preview_settings"), sent).context["meaning"].moves
    planned = {
        invoice.customer.display_name: (invoice.issue_date, invoice.generated_at + timedelta(days=9))
        for invoice in Invoice.objects.of(scene.vendor).filter(
            status="INVOICE_GENERATED", next_action__in=["issue", "approve"]
        )
    }
    assert moves.count == len(planned) > 0
    assert {move.customer: (move.at, move.to) for move in moves.first} == planned
    policy = vendor_policy(scene.vendor)
    with django_assert_num_queries(4):
        would_move(scene.vendor, None, policy, real_now=timezone.now())

    name, (at, to) = next(iter(planned.items()))
    customer = next(one for one in scene.customers.values() if one.display_name == name)
    own = override_form(client, customer.name) | {
        "enabled": "on",
        "own_payment_grace_period_length": "on",
        "payment_grace_period_length": "9",
    }
    page = client.post(reverse("portal:preview_override", args=[customer.name]), own).content.decode()
    assert "Saving moves 1 planned invoice:" in page
    assert f"{at.day} {at:%b, %H:%M}" in page
    assert f"{to.day} {to:%b, %H:%M}" in page
    client.post(reverse("portal:customer_settings", args=[customer.name]), own)
    page = client.get(reverse("portal:customer_settings", args=[customer.name])).content.decode()
    assert "This moves 1 planned invoice:" in page, "before all overrides are removed"


def test_the_preview_tells_what_would_be_and_saves_nothing(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in(Role.READ_ONLY)
    before = vendor_policy(scene.vendor)
    sent = vendor_form(client) | {"invoice_grace_period_length": "3", "payment_grace_period_length": "4"}
    page = client.post(reverse("portal:preview_settings"), sent).content.decode()
    assert "4 Apr 2026" in page
    assert "8 Apr 2026" in page
    assert vendor_policy(scene.vendor) == before
    wrong = client.post(reverse("portal:preview_settings"), sent | {"tax_rate": "much"}).content.decode()
    assert "Mend this first" in wrong


def test_an_override_takes_only_what_has_its_own_value(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in(Role.BILLING)
    sent = override_form(client, "acme") | {
        "enabled": "on",
        "own_days_until_due": "on",
        "days_until_due": "14",
        "tax_rate": "50",
        "own_payment_grace_period_length": "on",
        "payment_grace_period_length": "6",
        "payment_grace_period_unit": "hour",
    }
    page = client.post(reverse("portal:customer_settings", args=["acme"]), sent, follow=True).content.decode()
    row = BillingSettingsOverride.objects.get(customer=scene.customers["acme"])
    assert row.values() == {
        "days_until_due": 14,
        "payment_grace_period_length": 6,
        "payment_grace_period_unit": "hour",
    }
    assert policy_for(scene.customers["acme"]).tax_rate == 0
    assert "The overrides of Acme Robotics are saved." in page
    assert "Settings: 30" in page


def test_one_value_of_an_override_goes_back_to_the_vendors(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    sent = override_form(client, "wayne")
    sent.pop("own_days_until_due")
    client.post(reverse("portal:customer_settings", args=["wayne"]), sent)
    assert BillingSettingsOverride.objects.get(customer=scene.customers["wayne"]).values() == {
        "invoice_via_octane": True
    }


def test_switching_off_removes_the_override(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    sent = override_form(client, "wayne")
    sent.pop("enabled")
    page = client.post(reverse("portal:customer_settings", args=["wayne"]), sent, follow=True).content.decode()
    assert not BillingSettingsOverride.objects.filter(customer=scene.customers["wayne"]).exists()
    assert "The overrides of Wayne Enterprises are removed." in page


def test_switching_off_what_is_off_is_no_error(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    address = reverse("portal:customer_settings", args=["acme"])
    assert client.post(address, override_form(client, "acme")).status_code == 302
    assert not BillingSettingsOverride.objects.filter(customer=scene.customers["acme"]).exists()


def test_an_override_of_nothing_is_refused(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    sent = override_form(client, "acme") | {"enabled": "on"}
    page = client.post(reverse("portal:customer_settings", args=["acme"]), sent).content.decode()
    assert "Give at least one setting its own value" in page
    assert not BillingSettingsOverride.objects.filter(customer=scene.customers["acme"]).exists()


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.READ_ONLY])
def test_overrides_need_their_permission(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    client = signed_in(role)
    sent = override_form(client, "wayne")
    sent.pop("enabled")
    assert client.post(reverse("portal:customer_settings", args=["wayne"]), sent).status_code == 403
    assert BillingSettingsOverride.objects.filter(customer=scene.customers["wayne"]).exists()


def test_the_number_and_the_memo_are_shown_while_they_are_typed(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    sent = vendor_form(client) | {
        "invoice_number_pattern": "NW/{year}/{number:04}",
        "invoice_memo": "For {customer_display_name}, {billing_cycle_start} to {billing_cycle_end}. {thanks}",
        "payment_grace_period_length": "9",
    }
    events = Event.objects.count()
    page = client.post(reverse("portal:preview_settings"), sent).content.decode()
    assert "NW/2026/0001" in page
    assert "For Acme Inc., 2026-03-01 to 2026-03-31. {thanks}" in page
    assert "{thanks} is not a variable of the memo and stays as typed." in page
    announced = re.search(r"Saving moves (\d+) planned invoice", page)
    assert announced
    assert Event.objects.count() == events
    assert vendor_policy(scene.vendor).invoice_memo != sent["invoice_memo"]

    wrong = client.post(reverse("portal:preview_settings"), sent | {"invoice_number_pattern": "NW-{year}"})
    assert "Give {number} exactly once" in wrong.content.decode()
    saved = client.post(reverse("portal:billing_settings"), sent, follow=True).content.decode()
    assert re.search(rf"{announced[1]} planned invoices? moved", saved)
    name = next(iter(scene.customers.values())).name
    own = override_form(client, name) | {"enabled": "on", "own_invoice_memo": "on", "invoice_memo": "{customer_name}!"}
    assert f"{name}!" in client.post(reverse("portal:preview_override", args=[name]), own).content.decode()


def test_each_change_is_listed_with_who_made_it(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    client.post(reverse("portal:billing_settings"), vendor_form(client) | {"days_until_due": "45"})
    page = client.get(reverse("portal:billing_settings")).content.decode()
    assert "Days until due: not set → 45." in page
    assert scene.operators[Role.OWNER].email in page[page.index("Billing settings changed") :]


@pytest.mark.parametrize("role", list(Role))
def test_the_next_number_is_for_those_who_may_change_settings(scene: Scene, signed_in: SignedIn, role: Role) -> None:
    client = signed_in(role)
    response = client.post(reverse("portal:set_next_number"), {"next_number": "500"})
    page = client.get(reverse("portal:billing_settings")).content.decode()
    if role == Role.OWNER:
        assert response.status_code == 302
        assert "The next invoice is INV-00500." in page
        refused = client.post(reverse("portal:set_next_number"), {"next_number": "499"}, follow=True)
        assert "Give 500 or more" in refused.content.decode()
    else:
        assert response.status_code == 403
        assert "INV-00500" not in page


def test_what_is_wrong_with_the_logo_is_said_beside_it(scene: Scene, signed_in: SignedIn) -> None:
    url = "https://northwind.example/logo.svg"
    BillingSettings.objects.filter(vendor=scene.vendor).update(invoice_logo_url=url)
    LogoFile.objects.create(vendor=scene.vendor, url=url, error="The server answered 404.", fetched_at=timezone.now())
    assert "The server answered 404." in signed_in().get(reverse("portal:billing_settings")).content.decode()


def test_an_invoice_without_its_logo_says_so(scene: Scene, signed_in: SignedIn) -> None:
    invoice = scene.invoices["voided"]
    remark = "Printed without the logo. The server answered 404."
    InvoiceDocument.objects.update_or_create(
        invoice=invoice, defaults={"pdf": b"%PDF-", "created_at": timezone.now(), "remark": remark}
    )
    assert remark in signed_in().get(reverse("portal:invoice", args=[invoice.uuid])).content.decode()
