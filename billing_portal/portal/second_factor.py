"""Sign-in codes: the second step of signing in, and the screen on which operators turn their own on and off."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import segno
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth import login, update_session_auth_hash
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from billing_portal.accounts import second_factor
from billing_portal.accounts.models import Operator, SecondFactor
from billing_portal.accounts.throttle import CODE_ACCOUNT, code_tries, in_words
from billing_portal.portal.access import OperatorRequest, own_screen
from billing_portal.portal.forms import CODE, refuse
from billing_portal.portal.navigation import show
from customers.errors import Refused

PENDING = "second_step"
# Between the password and the code.
PATIENCE = 600
WRONG = "This code is not right, or was used already. Wait for the next one in your app, or use a recovery code."
TOO_OFTEN = "Too many codes that were not right. Wait {wait}."


@dataclass(frozen=True)
class Pending:
    """Who gave the right password in this session, and when. Nobody is signed in by that."""

    operator: int
    fingerprint: str
    at: float
    go_to: str


class CodeForm(forms.Form):
    code = forms.CharField(
        label="Code from your authenticator app",
        max_length=32,
        widget=forms.TextInput({"autocomplete": "one-time-code", "autofocus": True, "spellcheck": "false"}),
    )


def ask_for_code(request: HttpRequest, operator: Operator, go_to: str) -> HttpResponse:
    """After the right password: nothing is open yet, and the session has a new number."""
    request.session.flush()
    pending = Pending(operator.pk, operator.get_session_auth_hash(), timezone.now().timestamp(), go_to)
    request.session[PENDING] = asdict(pending)
    return redirect("portal:second_step")


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def second_step(request: HttpRequest) -> HttpResponse:
    found = _pending(request)
    if found is None:
        return redirect("portal:sign_in")
    operator, pending = found
    form = CodeForm(request.POST if request.method == "POST" else None)
    if form.is_valid() and _is_accepted(form, operator):
        login(request, operator, backend=settings.AUTHENTICATION_BACKENDS[0])
        request.session.pop(PENDING, None)
        return redirect(pending.go_to)
    shell = admin.site.each_context(request)
    return render(request, "portal/second_step.html", {**shell, "title": "Sign in", "form": form})


def _pending(request: HttpRequest) -> tuple[Operator, Pending] | None:
    """None: no password was given here, or too long ago, or it, or the account, has changed since."""
    kept = request.session.get(PENDING)
    if kept is None:
        return None
    pending = Pending(**kept)
    operator = Operator.objects.filter(pk=pending.operator, is_active=True).first()
    late = timezone.now().timestamp() - pending.at > PATIENCE
    if operator is None or late or operator.get_session_auth_hash() != pending.fingerprint:
        request.session.flush()
        return None
    return operator, pending


def _is_accepted(form: CodeForm, operator: Operator) -> bool:
    real_now = timezone.now()
    tries = code_tries(operator.pk, real_now=real_now)
    if wait := tries.wait():
        form.add_error(None, TOO_OFTEN.format(wait=in_words(wait)))
        return False
    if not second_factor.accept(operator, form.cleaned_data["code"], real_now=real_now):
        tries.count()
        form.add_error("code", WRONG)
        return False
    tries.forget(CODE_ACCOUNT)
    return True


class PasswordForm(forms.Form):
    """Whoever finds an unlocked screen does not know the password."""

    password = forms.CharField(
        label="Your password", strip=False, widget=forms.PasswordInput({"autocomplete": "current-password"})
    )

    def __init__(self, operator: Operator, data: Any = None) -> None:
        super().__init__(data)
        self.operator = operator

    def clean_password(self) -> None:
        real_now = timezone.now()
        tries = code_tries(self.operator.pk, real_now=real_now)
        if wait := tries.wait():
            raise forms.ValidationError(TOO_OFTEN.format(wait=in_words(wait)))
        if not self.operator.check_password(self.cleaned_data["password"]):
            tries.count()
            raise forms.ValidationError("This is not your password.")


class FirstCodeForm(forms.Form):
    code = forms.CharField(
        label="Code that the app shows now",
        max_length=16,
        widget=forms.TextInput(CODE | {"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )


@sensitive_post_parameters()
@own_screen
def sign_in_codes(request: OperatorRequest) -> HttpResponse:
    factor = second_factor.factor_of(request.user)
    action = request.POST.get("action", "")
    if request.method == "POST" and action == "confirm":
        return _confirm(request, factor)
    form = PasswordForm(request.user, request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            return _carry_out(request, action)
        except Refused as refusal:
            refuse(form, refusal)
    return _page(request, factor, form=form)


def _carry_out(request: OperatorRequest, action: str) -> HttpResponse:
    """What needs the password, which was right."""
    if action == "off":
        second_factor.turn_off(request.user, actor=request.actor, real_now=request.real_now)
        messages.success(request, "Sign-in codes are off. Your password alone opens your account now.")
        return redirect("portal:sign_in_codes")
    if action == "renew":
        return _codes(request, second_factor.renew_recovery_codes(request.user))
    factor = second_factor.begin(request.user, real_now=request.real_now)
    return _page(request, factor, begun=True)


def _confirm(request: OperatorRequest, factor: SecondFactor | None) -> HttpResponse:
    form = FirstCodeForm(request.POST)
    if form.is_valid():
        try:
            codes = second_factor.confirm(request.user, form.cleaned_data["code"], real_now=request.real_now)
        except Refused as refusal:
            refuse(form, refusal)
        else:
            request.user.refresh_from_db()
            update_session_auth_hash(request, request.user)  # this session goes on, all others are over
            return _codes(request, codes)
    return _page(request, factor, first_code=form, begun=True)


def _codes(request: OperatorRequest, codes: list[str]) -> HttpResponse:
    return _show(request, {"codes": codes, "is_on": True})


def _page(
    request: OperatorRequest,
    factor: SecondFactor | None,
    *,
    form: forms.Form | None = None,
    first_code: forms.Form | None = None,
    begun: bool = False,
) -> HttpResponse:
    """The secret is shown to whoever just gave the password, and in no other answer."""
    is_on = factor is not None and factor.confirmed_at is not None
    context: dict[str, Any] = {"is_on": is_on, "form": form or PasswordForm(request.user), "factor": factor}
    if begun and factor and not is_on:
        picture = segno.make(second_factor.address_for(factor), error="m")
        context |= {
            "picture": picture.svg_data_uri(scale=5, border=2, dark="#000", light="#fff"),
            "secret": factor.secret,
            "form": first_code or FirstCodeForm(),
        }
    elif is_on and factor:
        context["left"] = factor.recovery_codes.filter(used_at__isnull=True).count()
    return _show(request, context)


def _show(request: OperatorRequest, context: dict[str, Any]) -> HttpResponse:
    return show(request, "portal/sign_in_codes.html", context, title="Sign-in codes", area="")
