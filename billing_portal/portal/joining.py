"""Accepting an invitation. Nobody is signed in here: the e-mailed link is the permission."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth import login, password_validation
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from billing_portal.accounts.invitations import Person, accept, account_of, invitation_of
from billing_portal.accounts.models import Invitation, Operator
from billing_portal.portal.access import SESSION_KEY
from billing_portal.portal.plain import say, show_plain
from customers.errors import Conflict


class JoinForm(forms.Form):
    first_name = forms.CharField(max_length=150, widget=forms.TextInput({"autocomplete": "given-name"}))
    last_name = forms.CharField(max_length=150, widget=forms.TextInput({"autocomplete": "family-name"}))
    password = forms.CharField(
        strip=False,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text="At least 8 characters, and nothing that is easy to guess.",
    )
    again = forms.CharField(
        label="The password again", strip=False, widget=forms.PasswordInput({"autocomplete": "new-password"})
    )

    def __init__(self, email: str, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        self.email = email

    def clean(self) -> None:
        given = self.cleaned_data
        if "password" not in given or "again" not in given:
            return
        if given["password"] != given["again"]:
            self.add_error("again", "The two passwords differ.")
        somebody = Operator(
            email=self.email, first_name=given.get("first_name", ""), last_name=given.get("last_name", "")
        )
        try:
            password_validation.validate_password(given["password"], somebody)
        except forms.ValidationError as problem:
            self.add_error("password", problem)

    def person(self) -> Person:
        given = self.cleaned_data
        return Person(given["first_name"], given["last_name"], given["password"])


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    try:
        invitation = invitation_of(token, real_now=timezone.now())
        return _join(request, invitation)
    except Conflict as refusal:
        return say(request, "This invitation cannot be accepted", refusal.message, status=410)


def _join(request: HttpRequest, invitation: Invitation) -> HttpResponse:
    account = account_of(invitation)
    form = None if account else JoinForm(invitation.email, request.POST if request.method == "POST" else None)
    if request.method != "POST" or (form and not form.is_valid()):
        return show_plain(request, "plain/join.html", {"invitation": invitation, "form": form, "account": account})
    try:
        operator = _accepted(invitation, form.person() if form else None)
    except IntegrityError:  # the account was made in this very moment, by the same link
        return redirect(request.get_full_path())
    return _go_on(request, invitation, operator, is_new=account is None)


def _accepted(invitation: Invitation, person: Person | None) -> Operator:
    real_now = timezone.now()
    return accept(invitation, person, now=invitation.vendor.now(real_now), real_now=real_now)


def _go_on(request: HttpRequest, invitation: Invitation, operator: Operator, *, is_new: bool) -> HttpResponse:
    """Whoever just chose a password is signed in with it; an account of before asks for its own."""
    if is_new:
        login(request, operator)
    if request.user == operator:
        request.session[SESSION_KEY] = invitation.vendor_id
        messages.success(request, f"Welcome. You now work for {invitation.vendor}.")
        return redirect("portal:dashboard")
    words = f"{operator.email} now works for {invitation.vendor}. Sign in with your password to begin."
    return say(request, "You have joined", words, sign_in=True)
