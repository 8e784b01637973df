"""One button for many invoices, in the portal and over the API: a result for each."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from billing_portal.accounts.models import Role
from customers.models import Event
from invoicing.models import Invoice
from tests.api.client import Api, answer
from tests.factories import InvoiceFactory
from tests.portal.scene import Scene

SignedIn = Callable[..., Client]
BULK = reverse("portal:bulk")


def waiting(scene: Scene, count: int) -> list[Invoice]:
    return InvoiceFactory.create_batch(
        count, customer=scene.customers["globex"], number="", issued_at=None, paid_at=None, is_approved=False,
        next_action="approve", next_action_at=None,
    )  # fmt: skip


def test_approving_fifty(scene: Scene, signed_in: SignedIn) -> None:
    invoices = [*waiting(scene, 50), scene.invoices["acme-january"]]
    browser = signed_in(Role.BILLING)
    chosen = {"verb": "approve", "which": "ticked", "invoice": [invoice.uuid for invoice in invoices]}
    page = " ".join(browser.post(BULK, chosen).content.decode().split())
    assert "50 approved, 1 refused" in page
    assert "INV-00142 needs no approval: it is approved." in page
    assert (
        Invoice.objects.filter(pk__in=[i.pk for i in invoices[:50]], is_approved=True, next_action="issue").count()
        == 50
    )
    assert Event.objects.filter(kind="invoice.approved", subject_id__in=[i.pk for i in invoices]).count() == 50


def test_all_of_a_tab(scene: Scene, signed_in: SignedIn) -> None:
    waiting(scene, 3)
    page = signed_in().get(reverse("portal:invoices") + "?status=approval").content.decode()
    assert page.count('form="bulk" name="invoice"') == 4
    page = signed_in().post(BULK, {"verb": "approve", "which": "all", "status": "approval"}).content.decode()
    assert "4 approved" in page
    assert not Invoice.objects.filter(next_action="approve").exists()
    assert not Invoice.objects.of(scene.vendor).get(pk=scene.invoices["generated"].pk).approved_at


def test_voiding_many_needs_a_reason(scene: Scene, signed_in: SignedIn) -> None:
    chosen = {"verb": "void", "invoice": [scene.invoices[key].uuid for key in ("late", "generated", "voided")]}
    page = signed_in().post(BULK, chosen, follow=True).content.decode()
    assert "Say why" in page
    page = signed_in().post(BULK, {**chosen, "reason": "All wrong."}).content.decode()
    assert "2 voided, 1 refused" in page
    assert {event.details["reason"] for event in Event.objects.filter(kind="invoice.voided")} == {"All wrong."}


def test_who_may_and_what_makes_no_sense(scene: Scene, signed_in: SignedIn) -> None:
    chosen = {"verb": "approve", "invoice": [scene.invoices["approval"].uuid]}
    assert signed_in(Role.SUPPORT).post(BULK, chosen).status_code == 403
    assert signed_in().get(BULK).status_code == 405
    assert signed_in().post(BULK, {**chosen, "verb": "delete"}).status_code == 404
    page = signed_in().post(BULK, {**chosen, "invoice": ["nonsense"]}, follow=True).content.decode()
    assert "No invoice was chosen" in page
    assert 'id="bulk"' not in signed_in(Role.READ_ONLY).get(reverse("portal:invoices")).content.decode()
    assert not Event.objects.filter(kind="invoice.approved", subject_id=scene.invoices["approval"].pk).exists()


def test_over_the_api(scene: Scene) -> None:
    api, nobody = Api(scene.vendor), "00000000-0000-0000-0000-000000000000"
    due, paid = scene.invoices["issuing-failed"], scene.invoices["acme-january"]
    ids = [str(due.uuid), nobody, str(paid.uuid)]
    results = answer(api.post("/invoices/bulk", {"action": "push", "invoice_ids": ids}))
    assert [result["success"] for result in results] == [True, False, False]
    assert [result["invoice_id"] for result in results] == ids
    assert results[1]["message"] == f"There is no invoice '{nobody}'."
    assert "no next step" in results[2]["message"]
    due.refresh_from_db()
    assert (due.next_action, due.issue_date) == ("issue", due.next_action_at)
