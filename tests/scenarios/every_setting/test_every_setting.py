"""Every setting does what it says: for the vendor, for one customer by an override, and again for the vendor where
an override leaves it alone. A setting without its cases fails here."""

from __future__ import annotations

import pytest
import stripe

from customers.settings.policy import SETTING_NAMES
from payments.sandbox import seed
from tests.scenarios.every_setting.cases import CASES, Case
from tests.scenarios.every_setting.stage import Stage
from tests.scenarios.every_setting.stripe_here import SandboxInThisThread

pytestmark = pytest.mark.django_db

each = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch, settings) -> Stage:
    made = seed.ensure_installation(webhook_url="http://127.0.0.1:9/webhooks")
    settings.STRIPE_TEST_SECRET_KEY = made.secret_key
    platform = stripe.StripeClient(made.secret_key, http_client=SandboxInThisThread())
    monkeypatch.setattr("payments.stripe.client.sdk", lambda key: platform)
    account = stripe.StripeClient(made.secret_key, stripe_account=made.account, http_client=SandboxInThisThread())
    return Stage(account, made.account)


def test_no_setting_is_left_out() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.name for case in CASES} == set(SETTING_NAMES)


@each
def test_it_changes_what_happens_for_the_vendor(stage: Stage, case: Case) -> None:
    customer = stage.customer("customer-acme")
    for value, outcome in (case.first, case.second, case.first):
        stage.save({**case.given, case.name: value})
        assert case.see(stage, customer) == outcome


@each
def test_an_override_changes_it_for_one_customer_only(stage: Stage, case: Case) -> None:
    (value, outcome), (other_value, other_outcome) = case.first, case.second
    stage.save({**case.given, case.name: value})
    one, another = stage.customer("customer-acme"), stage.customer("customer-globex")
    stage.override(one, {case.name: other_value})
    assert case.see(stage, one) == other_outcome
    assert case.see(stage, another) == outcome


@each
def test_a_later_change_reaches_whose_override_leaves_it_alone(stage: Stage, case: Case) -> None:
    (value, outcome), (other_value, other_outcome) = case.first, case.second
    stage.save({**case.given, case.name: value})
    customer = stage.customer("customer-acme")
    stage.override(customer, {_another(case): "Elsewhere"})
    assert case.see(stage, customer) == outcome
    stage.save({case.name: other_value})
    assert case.see(stage, customer) == other_outcome


def _another(case: Case) -> str:
    """A setting that has nothing to do with this one."""
    return "ach_bank_address_2" if case.name != "ach_bank_address_2" else "ach_bank_address_1"
