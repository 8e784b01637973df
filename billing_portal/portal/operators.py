"""System -> Operators: who works for this vendor, who is invited, and in which role."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect

from billing_portal.accounts import invitations
from billing_portal.accounts.models import Invitation, Membership, Role
from billing_portal.accounts.operators import change_role, remove
from billing_portal.accounts.roles import Permission
from billing_portal.accounts.second_factor import reset_by_owner, users_of_codes
from billing_portal.portal.access import OperatorRequest, form_screen, may, verb
from billing_portal.portal.forms import TEXT, refuse
from billing_portal.portal.keyset import by_number
from billing_portal.portal.navigation import show
from customers.errors import Conflict, Invalid

# What each role is for, as the form says it.
ROLES = {
    Role.OWNER: "Owner: everything, operators and API keys included",
    Role.BILLING: "Billing: invoices, payments, catalog and subscriptions",
    Role.SUPPORT: "Support: customers, and sending invoices again",
    Role.READ_ONLY: "Read-only: looks at everything, changes nothing",
}
# More are not shown at once; whoever invites so many finds the rest as the first are answered.
INVITATIONS_SHOWN = 50


class InvitationForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        widget=forms.EmailInput(TEXT | {"placeholder": "anna@example.com"}),
        help_text="A link is sent there. Whoever has an account already just joins.",
    )
    role = forms.ChoiceField(choices=list(ROLES.items()), initial=Role.READ_ONLY)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)


@form_screen(Permission.MANAGE_OPERATORS)
def operator_list(request: OperatorRequest) -> HttpResponse:
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            invitation = invitations.invite(request.vendor, **_wanted(form), **_acting(request))
        except Invalid as refusal:
            refuse(form, refusal)
        else:
            messages.success(request, f"{invitation.email} is invited. The link is on its way.")
            return redirect("portal:operators")
    return show(request, "portal/system/operators.html", _context(request, form), title="Operators", area="operators")


def _wanted(form: InvitationForm) -> dict[str, Any]:
    return {"email": form.cleaned_data["email"], "role": Role(form.cleaned_data["role"])}


def _acting(request: OperatorRequest) -> dict[str, Any]:
    return {"actor": request.actor, "now": request.now, "real_now": request.real_now}


def _context(request: OperatorRequest, form: InvitationForm) -> dict[str, Any]:
    people = Membership.objects.of(request.vendor).select_related("operator")
    waiting = Invitation.objects.of(request.vendor).open().order_by("-pk")
    page = by_number(people, before=request.GET.get("before", ""), after=request.GET.get("after", ""))
    return {
        "page": page,
        "with_codes": users_of_codes(request.vendor, [row.operator_id for row in page.rows]),
        "invitations": waiting[:INVITATIONS_SHOWN],
        "form": form,
        "roles": Role.choices,
        "editable": may(request, Permission.MANAGE_OPERATORS),
    }


@verb(Permission.MANAGE_OPERATORS)
def change(request: OperatorRequest, pk: int) -> HttpResponse:
    membership = _membership(request, pk)
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Nothing was changed. Choose a role.")
        return redirect("portal:operators")
    role = Role(form.cleaned_data["role"])
    try:
        change_role(membership, role, **_acting(request))
    except Conflict as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"{membership.operator} is {role.label} now, and has to sign in again.")
    return redirect("portal:operators")


@verb(Permission.MANAGE_OPERATORS)
def dismiss(request: OperatorRequest, pk: int) -> HttpResponse:
    membership = _membership(request, pk)
    try:
        remove(membership, **_acting(request))
    except Conflict as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"{membership.operator} works for {request.vendor} no more, and is signed out.")
    return redirect("portal:operators")


@verb(Permission.MANAGE_OPERATORS)
def turn_off_codes(request: OperatorRequest, pk: int) -> HttpResponse:
    membership = _membership(request, pk)
    try:
        reset_by_owner(membership, actor=request.actor, real_now=request.real_now)
    except Conflict as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"{membership.operator} is signed out, and signs in with the password alone now.")
    return redirect("portal:operators")


@verb(Permission.MANAGE_OPERATORS)
def invite_again(request: OperatorRequest, uuid: str) -> HttpResponse:
    invitation = _invitation(request, uuid)
    try:
        invitations.send_again(invitation, **_acting(request))
    except Conflict as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(
            request, f"A new link is on its way to {invitation.email}. The old one opens nothing any more."
        )
    return redirect("portal:operators")


@verb(Permission.MANAGE_OPERATORS)
def take_back(request: OperatorRequest, uuid: str) -> HttpResponse:
    invitation = _invitation(request, uuid)
    try:
        invitations.revoke(invitation, **_acting(request))
    except Conflict as refusal:
        messages.error(request, refusal.message)
    else:
        messages.success(request, f"The invitation of {invitation.email} is revoked.")
    return redirect("portal:operators")


def _membership(request: OperatorRequest, pk: int) -> Membership:
    rows = Membership.objects.of(request.vendor).select_related("operator", "vendor")
    return get_object_or_404(rows, pk=pk)


def _invitation(request: OperatorRequest, uuid: str) -> Invitation:
    return get_object_or_404(Invitation.objects.of(request.vendor).select_related("vendor"), uuid=uuid)
