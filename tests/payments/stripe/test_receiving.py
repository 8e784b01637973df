"""Webhooks in: what is stored, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from payments.models import StripeConnection, StripeEvent, WebhookTally
from payments.stripe import processing, tally
from payments.stripe.client import API_VERSION
from payments.tasks import forget_events, process_event
from tests.payments.stripe.conftest import SECRET, WEBHOOK, an_event, post, stored

pytestmark = pytest.mark.urls("payments.stripe.urls")

NOW = timezone.now


def reason() -> str:
    return StripeEvent.objects.latest("pk").reason


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        "t=1",
        "t=,v1=",
        "t=x,v1=ab",
        "v1=ab",
        "t=1,t=2,v1=ab",
        "t=99999999999999999999,v1=ab",
        "t=1,v1=\xe9",
    ],
)
def test_a_bad_signature_header_is_refused(account: str, header: str) -> None:
    assert post(an_event(account), header=header).status_code == 400
    assert stored() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b'"x"', b"{}", b'{"object": "event"}', b"\xff\xfe", b'{"object": "v2.core.event"}'],
)
def test_a_malformed_body_is_refused_even_when_signed(account: str, body: bytes) -> None:
    answer = post(body)
    assert answer.status_code == 400
    assert json.loads(answer.content)["message"]
    assert stored() == []


@pytest.mark.parametrize("field", [{"id": None}, {"id": "e" * 300}, {"id": "a\x00b"}, {"type": 5}, {"livemode": "no"}])
def test_an_event_without_what_is_needed_is_refused(account: str, field: dict[str, Any]) -> None:
    assert post(an_event(account, **field)).status_code == 400
    assert stored() == []


def test_a_wrong_secret_or_a_changed_body_is_refused(account: str) -> None:
    assert post(an_event(account), secret="whsec_wrong").status_code == 400
    event = an_event(account)
    signed = post(event).wsgi_request.headers["Stripe-Signature"]
    assert post({**event, "id": "evt_other"}, header=signed).status_code == 400
    assert len(stored()) == 1


@pytest.mark.parametrize(("minutes", "status"), [(-6, 400), (-4, 200), (4, 200), (6, 400)])
def test_signatures_are_good_for_five_minutes_either_way(account: str, minutes: int, status: int) -> None:
    assert post(an_event(account), at=NOW() + timedelta(minutes=minutes)).status_code == status


def test_any_of_several_secrets_will_do(account: str) -> None:
    assert post(an_event(account), secret="whsec_old").status_code == 200
    assert post(an_event(account), secret=SECRET).status_code == 200


def test_without_a_secret_nothing_is_accepted(account: str, settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = []
    assert post(an_event(account), secret="").status_code == 400


def test_an_oversized_body_and_other_methods_are_refused(account: str) -> None:
    assert post(b" " * (1024 * 1024 + 1)).status_code == 413
    assert Client().get(WEBHOOK).status_code == 405
    assert stored() == []


def test_the_same_event_is_stored_and_processed_once(account: str, django_capture_on_commit_callbacks: Any) -> None:
    event = an_event(account)
    for _ in range(3):
        with django_capture_on_commit_callbacks(execute=True):
            assert post(event).status_code == 200
    assert stored() == [("invoice.paid", "ignored")]


def test_a_body_that_the_database_cannot_hold_is_stored_without_it(account: str) -> None:
    text = json.dumps(an_event(account, extra="NUL")).replace("NUL", "\\u0000")
    assert post(text.encode()).status_code == 200
    assert set(StripeEvent.objects.get().body) == {"id", "type"}


def test_a_broker_out_of_reach_loses_nothing(
    account: str, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def broken(*args: object) -> None:
        raise OSError("broker gone")

    monkeypatch.setattr(process_event, "delay", broken)
    with django_capture_on_commit_callbacks(execute=True):
        assert post(an_event(account)).status_code == 200
    event = StripeEvent.objects.get()
    assert event.state == "pending"
    assert processing.sweep(real_now=event.received_at) == []
    assert processing.sweep(real_now=event.received_at + timedelta(minutes=1)) == [event.pk]


def test_what_arrived_is_handed_out_once_and_one_event_for_each_object(account: str) -> None:
    one, other = {"object": "invoice", "id": "in_1"}, {"object": "invoice", "id": "in_2"}
    for subject in (one, other, one, one):
        assert post(an_event(account, data={"object": subject})).status_code == 200
    handed_out = StripeEvent.objects.filter(pk__in=processing.hand_out(real_now=NOW()))
    assert sorted(handed_out.values_list("object_id", flat=True)) == ["in_1", "in_2"]
    assert processing.hand_out(real_now=NOW()) == []
    late = NOW() + timedelta(minutes=1)
    assert len(processing.sweep(real_now=late)) == 4, "whoever was told of them may have died"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"account": "acct_stranger"}, "not connected to any vendor"),
        ({"account": None}, "names no connected account"),
        ({"livemode": True}, "not connected in live mode"),
    ],
)
def test_events_of_others_are_kept_as_ignored(account: str, changes: dict[str, Any], says: str) -> None:
    assert post(an_event(account, **changes)).status_code == 200
    assert says in reason()
    assert stored() == [("invoice.paid", "ignored")]


def test_the_last_webhook_is_noted(account: str) -> None:
    post(an_event(account))
    assert StripeConnection.objects.get().last_webhook_at is not None


def test_a_bad_signature_leaves_nothing_but_a_count(account: str) -> None:
    for _ in range(3):
        post(an_event(account), header="t=1,v1=ab")
    post(an_event(account), at=NOW() - timedelta(hours=1))
    post(b"{")  # signed, but no event: not counted as a bad signature
    [counted] = WebhookTally.objects.all()
    assert (counted.kind, counted.count, stored()) == ("bad_signature", 4, [])


def test_another_api_version_is_processed_and_only_counted(account: str) -> None:
    event = an_event(account, api_version="2020-08-27")
    for _ in range(2):
        assert post(event).status_code == 200
    post(an_event(account, api_version=API_VERSION))
    [counted] = WebhookTally.objects.all()
    assert (counted.account_id, counted.detail, counted.count) == (account, "2020-08-27", 1)
    assert StripeEvent.objects.get(event_id=event["id"]).state == "pending"  # to be processed like any other


def test_after_thirty_days_what_was_dealt_with_is_forgotten_in_batches(account: str) -> None:
    for _ in range(5):
        post(an_event(account))
    states = ("processed", "ignored", "ignored", "failed", "pending")
    for state, event in zip(states, StripeEvent.objects.order_by("pk"), strict=True):
        StripeEvent.objects.filter(pk=event.pk).update(state=state)
    tally.note_refusal(real_now=NOW())
    assert processing.prune(real_now=NOW() + timedelta(days=29)) == 0
    later = NOW() + timedelta(days=31)
    assert processing.prune(real_now=later, batch=2) == 2
    assert processing.prune(real_now=later, batch=2) == 1
    assert {state for _, state in stored()} == {"failed", "pending"}
    forget_events()
    assert WebhookTally.objects.exists()
    tally.forget(before=later + timedelta(days=2))
    assert not WebhookTally.objects.exists()
