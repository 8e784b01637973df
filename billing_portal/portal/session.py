"""Signing in, signing out, and choosing the vendor to work for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.views import LoginView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from billing_portal.accounts import second_factor
from billing_portal.accounts.operators import tell_of_new_password
from billing_portal.accounts.throttle import SIGN_IN_ACCOUNT, in_words, sign_in_tries
from billing_portal.portal.access import SESSION_KEY, OperatorRequest, open_verb, own_screen
from billing_portal.portal.navigation import show
from billing_portal.portal.second_factor import ask_for_code

TOO_OFTEN = "Too many attempts that failed. Wait {wait}, or choose a new password with the link below."


class SignInForm(AuthenticationForm):
    """Operators are known by their e-mail address."""

    error_messages = {  # noqa: RUF012 - Django's own way of declaring them
        "invalid_login": "This e-mail address and password do not belong together. Both are case-sensitive.",
        "inactive": "This account is switched off.",
    }

    def clean(self) -> dict[str, Any]:
        """Failures are counted for the account and for where they come from; too many, and both wait."""
        tries = sign_in_tries(self.request, self.cleaned_data.get("username") or "", real_now=timezone.now())
        if wait := tries.wait():
            raise forms.ValidationError(TOO_OFTEN.format(wait=in_words(wait)), code="too_often")
        try:
            cleaned = super().clean()
        except forms.ValidationError:
            tries.count()
            raise
        tries.forget(SIGN_IN_ACCOUNT)
        return cleaned

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.fields["username"].label = "E-mail address"
        self.fields["username"].widget = forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True})


@method_decorator(never_cache, name="dispatch")
class SignIn(LoginView):
    template_name = "portal/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        operator = form.get_user()
        if second_factor.is_on(operator):
            return ask_for_code(self.request, operator, self.get_success_url())
        return super().form_valid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        shell = admin.site.each_context(self.request)
        return super().get_context_data(**{**shell, "title": "Sign in", **kwargs})


def to_sign_in(request: HttpRequest) -> HttpResponse:
    """The admin site has no sign-in of its own, so that nothing goes around the one above."""
    if request.user.is_authenticated:
        raise PermissionDenied("These tables are for the superusers of this installation.")
    return redirect_to_login(request.GET.get("next", "") or reverse("admin:index"), reverse("portal:sign_in"))


@own_screen
def change_password(request: OperatorRequest) -> HttpResponse:
    form = PasswordChangeForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        update_session_auth_hash(request, form.save())
        tell_of_new_password(request.user, real_now=request.real_now)
        messages.success(request, "Your password is changed. You stay signed in here, and are signed out elsewhere.")
        return redirect("portal:dashboard")
    return show(request, "portal/change_password.html", {"form": form}, title="Change password", area="")


@open_verb
def choose_vendor(request: OperatorRequest) -> HttpResponse:
    """Only the session changes, so every role may."""
    chosen = request.POST.get("vendor", "")
    membership = next((m for m in request.memberships if str(m.vendor.uuid) == chosen), None)
    if membership is None:
        raise Http404("You do not belong to this vendor.")
    request.session[SESSION_KEY] = membership.vendor_id
    messages.info(request, f"You now work for {membership.vendor}.")
    return redirect("portal:dashboard")
