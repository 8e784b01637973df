"""The brake of a vendor's billing, as operators find it, and the e-mails that wait for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from customers.billing_pause import pause_billing, resume_billing
from customers.due import due_at
from invoicing.invoices import mailing
from invoicing.invoices.models import OutgoingEmail
from invoicing.models import BillingCycle, Invoice
from tests.portal.scene import NOW, Scene
from tests.world import OPERATOR

SignedIn = Callable[..., Client]
WHY = "Prices of March are being checked"


def test_e_mails_wait_too(scene: Scene) -> None:
    handed: list[int] = []
    waiting = Invoice.objects.of(scene.vendor).first()
    assert waiting is not None
    email = OutgoingEmail.objects.create(
        vendor=scene.vendor, invoice=waiting, kind="invoice", occasion="paused", recipients=["a@example.com"],
        subject="Invoice", message_id="<1@example.com>", created_at=NOW,
        next_action_at=NOW - timedelta(minutes=1),
    )  # fmt: skip
    due = due_at(scene.vendor, NOW)

    def hand_out() -> None:
        mailing.hand_out(due, real_now=timezone.now(), hand_over=lambda pk, token: handed.append(pk))

    pause_billing(scene.vendor, actor=OPERATOR, reason=WHY, real_now=timezone.now())
    hand_out()
    assert handed == []
    resume_billing(scene.vendor, actor=OPERATOR, real_now=timezone.now())
    hand_out()
    assert email.pk in handed


def test_in_the_portal(scene: Scene, signed_in: SignedIn) -> None:
    assert signed_in(Role.SUPPORT).post(reverse("portal:pause_billing"), {"reason": WHY}).status_code == 403
    client = signed_in(Role.BILLING)
    refused = client.post(reverse("portal:pause_billing"), {"reason": ""}, follow=True).content.decode()
    assert "Say why billing is paused" in refused
    assert "Billing is paused</strong>" not in refused
    client.post(reverse("portal:pause_billing"), {"reason": WHY})
    for screen in ("dashboard", "invoices", "scheduled"):
        shown = client.get(reverse(f"portal:{screen}")).content.decode()
        assert "Billing is paused</strong> since" in shown, screen
        assert WHY in shown
    assert "hx-get" not in client.get(reverse("portal:billing_run_progress")).content.decode()
    resumed = client.post(reverse("portal:resume_billing"), follow=True).content.decode()
    assert "Billing goes on." in resumed
    assert "Billing is paused</strong>" not in resumed


def test_what_fails_is_found(scene: Scene, signed_in: SignedIn) -> None:
    cycle = BillingCycle.objects.of(scene.vendor).filter(next_action_at__isnull=False).first()
    assert cycle is not None
    BillingCycle.objects.filter(pk=cycle.pk).update(failures=2, last_error="RuntimeError: no such currency")
    client = signed_in(Role.READ_ONLY)
    shown = client.get(reverse("portal:scheduled")).content.decode()
    assert "1 failing" in shown
    found = client.get(reverse("portal:scheduled"), {"kind": "cycle", "late": "failing"}).context["rows"]
    assert [(row.entry.pk, row.entry.because) for row in found] == [(cycle.pk, "RuntimeError: no such currency")]
    invoices = client.get(reverse("portal:scheduled"), {"late": "failing", "kind": "invoice"})
    assert invoices.context["rows"] == []
