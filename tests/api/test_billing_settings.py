"""/billing_settings, the vendor's and a customer's."""

import pytest

from customers import hooks
from customers.models import BillingSettings, BillingSettingsOverride, Event
from customers.settings.policy import SETTING_NAMES, SETTINGS
from tests.api.client import Api, answer, refusal

# For every setting a value that is not its default.
OTHER = {
    bool: lambda setting: not setting.default,
    int: lambda setting: setting.default + 1,
    str: lambda setting: (
        next(v for v in setting.choices.values if v != setting.default) if setting.choices else "Some text"
    ),
    tuple: lambda setting: [7, 1],
}


def other(setting):
    special = {"tax_rate": 7.25, "invoice_number_pattern": "{year}-{number}"}
    return special.get(setting.name) or OTHER[setting.type](setting)


@pytest.fixture(autouse=True)
def customer(request) -> None:
    if "api" in request.fixturenames:
        request.getfixturevalue("api").post("/customers", {"name": "acme"})
        Event.objects.all().delete()


PATHS = ["/billing_settings/", "/customers/acme/billing_settings"]


@pytest.mark.parametrize("path", PATHS)
def test_every_setting_is_answered_with_its_default(api: Api, path: str) -> None:
    body = answer(api.get(path))
    assert set(SETTING_NAMES) <= set(body)
    assert body["alternate_sendgrid_template_id"] is None
    assert body["warnings"] == {}
    assert (body["days_until_due"], body["tax_rate"], body["invoice_grace_period_unit"]) == (30, 0, "day")


@pytest.mark.parametrize("path", PATHS)
def test_every_setting_is_stored_and_answered_alone(api: Api, path: str) -> None:
    expected = {setting.name: _wire(setting.default) for setting in SETTINGS}
    for number, setting in enumerate(SETTINGS):
        expected[setting.name] = other(setting)
        send = api.post if number % 2 else api.put
        body = answer(send(path, {setting.name: other(setting)}))
        assert {name: body[name] for name in SETTING_NAMES} == expected
    body = answer(api.get(path))
    assert {name: body[name] for name in SETTING_NAMES} == expected


def test_the_next_invoice_number(api: Api) -> None:
    api.put("/billing_settings", {"invoice_number_pattern": "NW-{number:06}"})
    assert answer(api.get("/next_invoice_number")) == {"next_number": 1, "next_invoice_number": "NW-000001"}
    body = answer(api.put("/next_invoice_number", {"next_number": 418}))
    assert body == {"next_number": 418, "next_invoice_number": "NW-000418"}
    assert answer(api.put("/next_invoice_number", body)) == body
    given = refusal(api.put("/next_invoice_number", {"next_number": 7}), 422)
    assert "NW-000418 is the next one" in given["next_number"][0]
    wrong = refusal(api.put("/billing_settings", {"invoice_number_pattern": "NW-{year}"}), 422)
    assert "exactly once" in wrong["invoice_number_pattern"][0]


def test_an_override_leaves_the_vendors_settings_alone(api: Api) -> None:
    api.put("/customers/acme/billing_settings", {setting.name: other(setting) for setting in SETTINGS})
    body = answer(api.get("/billing_settings"))
    assert {name: body[name] for name in SETTING_NAMES} == {s.name: _wire(s.default) for s in SETTINGS}


def _wire(value):
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"charges_enabled": "yes"}, "charges_enabled"),
        ({"charges_enabled": 1}, "charges_enabled"),
        ({"days_until_due": "30"}, "days_until_due"),
        ({"days_until_due": 1.5}, "days_until_due"),
        ({"days_until_due": True}, "days_until_due"),
        ({"days_until_due": -1}, "days_until_due"),
        ({"days_until_due": 10**400}, "days_until_due"),
        ({"days_until_due": 3651}, "days_until_due"),
        ({"retry_frequency_length": 0}, "retry_frequency_length"),
        ({"tax_rate": 100.5}, "tax_rate"),
        ({"tax_rate": "5"}, "tax_rate"),
        ({"tax_rate": 5.12345}, "tax_rate"),
        ({"invoice_grace_period_unit": "week"}, "invoice_grace_period_unit"),
        ({"invoice_memo": "x" * 1501}, "invoice_memo"),
        ({"invoice_memo": 5}, "invoice_memo"),
        ({"past_due_reminder_days_array": 7}, "past_due_reminder_days_array"),
        ({"past_due_reminder_days_array": [1, "two"]}, "past_due_reminder_days_array"),
        ({"past_due_reminder_days_array": [366]}, "past_due_reminder_days_array"),
        ({"chargesenabled": True}, "chargesenabled"),
    ],
)
def test_a_bad_setting_is_named_and_nothing_changes(api: Api, body, field) -> None:
    for path in PATHS:
        errors = refusal(api.put(path, {"send_receipts": True, **body}), 422)
        assert list(errors) == [field]
    assert not BillingSettings.objects.exists()
    assert not BillingSettingsOverride.objects.exists()
    assert not Event.objects.exists()


def test_a_misspelt_setting_gets_a_hint(api: Api) -> None:
    errors = refusal(api.put("/billing_settings", {"charge_enabled": True, "days_untill_due": 3}), 422)
    assert "charges_enabled" in errors["charge_enabled"][0]
    assert "days_until_due" in errors["days_untill_due"][0]


def test_a_body_that_is_no_object(api: Api) -> None:
    assert list(refusal(api.put("/billing_settings", [{"charges_enabled": True}]), 422)) == ["body"]


def test_huge_numbers_are_refused_not_computed(api: Api) -> None:
    refusal(api.put("/billing_settings", '{"days_until_due": 1e999999}'), 422)
    refusal(api.put("/billing_settings", '{"tax_rate": 1e-999999}'), 422)


def test_an_override_wins_field_by_field_and_null_inherits(api: Api) -> None:
    api.put("/billing_settings", {"days_until_due": 10, "invoice_memo": "Vendor's"})
    body = answer(api.post("/customers/acme/billing_settings", {"days_until_due": 5, "charges_enabled": False}))
    assert (body["days_until_due"], body["invoice_memo"]) == (5, "Vendor's")
    assert body["overridden"] == ["days_until_due", "charges_enabled"]
    api.put("/billing_settings", {"invoice_memo": "New", "charges_enabled": True})
    body = answer(api.get("/customers/acme/billing_settings"))
    assert (body["invoice_memo"], body["charges_enabled"]) == ("New", False)
    body = answer(api.put("/customers/acme/billing_settings", {"charges_enabled": None}))
    assert body["charges_enabled"] is True
    assert body["overridden"] == ["days_until_due"]


def test_removing_an_override(api: Api) -> None:
    api.put("/customers/acme/billing_settings", {"days_until_due": 5})
    assert answer(api.delete("/customers/acme/billing_settings")) == {}
    body = answer(api.get("/customers/acme/billing_settings"))
    assert (body["days_until_due"], body["overridden"]) == (30, [])
    refusal(api.delete("/customers/acme/billing_settings"), 404)


def test_null_and_delete_bring_the_defaults_back(api: Api) -> None:
    api.put("/billing_settings", {"days_until_due": 5, "tax_rate": 19, "invoice_memo": "Hello"})
    assert answer(api.put("/billing_settings", {"days_until_due": None}))["days_until_due"] == 30
    assert answer(api.delete("/billing_settings")) == {}
    body = answer(api.get("/billing_settings"))
    assert (body["tax_rate"], body["invoice_memo"]) == (0, "")


def test_what_was_read_can_be_sent_back(api: Api) -> None:
    body = answer(api.put("/billing_settings", {"tax_rate": 7.25, "upcoming_reminder_days_array": [7, 1]}))
    again = answer(api.put("/billing_settings", body))
    assert {name: again[name] for name in SETTING_NAMES} == {name: body[name] for name in SETTING_NAMES}


def test_changes_are_on_record_with_before_and_after(api: Api) -> None:
    api.put("/billing_settings", {"days_until_due": 5, "tax_rate": 7.5})
    event = Event.objects.get()
    assert event.kind == "billing_settings.changed"
    assert event.details["changes"] == {
        "days_until_due": {"before": None, "after": 5},
        "tax_rate": {"before": None, "after": "7.5"},
    }
    api.put("/billing_settings", {"days_until_due": 5})
    assert Event.objects.count() == 1, "nothing changed, so nothing is told"
    api.put("/customers/acme/billing_settings", {"days_until_due": 9})
    event = Event.objects.latest("id")
    assert (event.kind, event.subject_kind) == ("billing_settings.override_changed", "customer")


def test_the_rooms_above_reschedule_and_their_count_is_answered(api: Api, vendor, monkeypatch) -> None:
    asked = []

    def reschedule(vendor, customer, *, now, real_now):
        asked.append((vendor, customer.name if customer else None))
        return 3

    monkeypatch.setattr(hooks, "on_policy_changed", [reschedule])
    assert answer(api.put("/billing_settings", {"days_until_due": 5}))["rescheduled"] == 3
    assert answer(api.put("/billing_settings", {"days_until_due": 5}))["rescheduled"] == 0
    api.put("/customers/acme/billing_settings", {"days_until_due": 6})
    assert asked == [(vendor, None), (vendor, "acme")]


@pytest.mark.parametrize(
    ("values", "warned"),
    [
        ({"charges_enabled": True}, {"charges_enabled"}),
        ({"charges_enabled": True, "should_send_invoice_to_customers": True}, set()),
        ({"charges_enabled": True, "should_send_invoice_to_customers": True, "invoice_via_octane": False}, set()),
        ({"invoice_via_octane": False}, {"invoice_via_octane"}),
        ({"stripe_auto_advance": False}, {"stripe_auto_advance"}),
        ({"stripe_immediate_finalization": True, "should_send_invoice_to_customers": True},
         {"stripe_immediate_finalization"}),
        ({"stripe_auto_advance": False, "charges_enabled": True, "should_send_invoice_to_customers": True,
          "invoice_via_octane": False}, {"charges_enabled"}),
        ({"include_ach_instructions": True}, {"include_ach_instructions"}),
        ({"include_ach_instructions": True, "ach_account_number": "DE00"}, set()),
        ({"send_receipts": True}, {"send_receipts"}),
        ({"days_until_due": 5, "tax_rate": 3, "invoice_grace_period_length": 2}, set()),
    ],
)  # fmt: skip
def test_what_has_no_effect_is_stored_and_explained(api: Api, values, warned) -> None:
    body = answer(api.put("/billing_settings", values))
    assert set(body["warnings"]) == warned
    assert {name: body[name] for name in values} == values


def test_another_vendors_settings_stay_out_of_reach(api: Api, stranger: Api) -> None:
    stranger.put("/billing_settings", {"days_until_due": 5})
    assert answer(api.get("/billing_settings"))["days_until_due"] == 30
    for method, body in (("get", None), ("put", {"days_until_due": 9}), ("delete", None)):
        args = ("/customers/acme/billing_settings",) if body is None else ("/customers/acme/billing_settings", body)
        refusal(getattr(stranger, method)(*args), 404)
    assert not BillingSettingsOverride.objects.exists()
