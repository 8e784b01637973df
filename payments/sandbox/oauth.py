"""Connect's OAuth: a page where a test account agrees, and the calls that follow.

A code is good once, for five minutes, and only for the platform it was made for."""

import secrets
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from payments.sandbox import auth, events
from payments.sandbox.errors import OAuthError, StripeError
from payments.sandbox.ids import random_text, request_id
from payments.sandbox.models import Account, ApiKey, Connection, OAuthCode
from payments.sandbox.scope import Scope

Act = Callable[[Scope, dict[str, str]], dict[str, object]]
LIFETIME = timedelta(minutes=5)
SCOPES = ("read_only", "read_write")


def authorize(request: HttpRequest) -> HttpResponse:
    """The consent page; posting it agrees (with an account) or refuses."""
    given = request.GET
    platform = Account.objects.filter(client_id=given.get("client_id", "-")).exclude(client_id="").first()
    if platform is None or given.get("response_type") != "code":
        return HttpResponse("No application matches the supplied client identifier", status=400)
    if request.method != "POST":
        return HttpResponse(_page(platform, _candidates(platform)))
    back = given.get("redirect_uri", "")
    if not back.startswith(("http://", "https://")):
        return HttpResponse("redirect_uri is missing or no web address", status=400)
    return HttpResponseRedirect(f"{back}?{urlencode(_verdict(request, platform))}")


def _verdict(request: HttpRequest, platform: Account) -> dict[str, str]:
    state = {"state": request.GET["state"]} if "state" in request.GET else {}
    account = Account.objects.filter(pk=request.POST.get("account", "")).first()
    if request.POST.get("answer") != "connect" or account is None:
        description = "The user denied your request"
        return {"error": "access_denied", "error_description": description, **state}
    scope = request.GET.get("scope", "read_only")
    code = OAuthCode.objects.create(
        code=f"ac_{secrets.token_urlsafe(24)}",
        connection_platform=platform,
        account=account,
        scope=scope if scope in SCOPES else "read_only",
        issued_at=timezone.now(),
    )
    return {"scope": code.scope, "code": code.code, **state}


def _candidates(platform: Account) -> list[Account]:
    return list(Account.objects.exclude(pk=platform.pk).filter(client_id="").order_by("name"))


def _page(platform: Account, accounts: list[Account]) -> SafeString:
    options = format_html_join("", "<option value='{}'>{} ({})</option>", ((a.id, a.name, a.id) for a in accounts))
    return format_html(
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Connect to {0}</title>"
        "<body style='font-family:system-ui;max-width:32rem;margin:4rem auto'>"
        "<h1>Connect to {0}</h1><p>This is the Stripe sandbox. {0} asks to act for a test account.</p>"
        "<form method='post'><p><label>Account <select name='account'>{1}</select></label></p>"
        "<button name='answer' value='connect'>Connect</button> "
        "<button name='answer' value='deny'>Cancel</button></form></body></html>",
        platform.name,
        options,
    )


def token(request: HttpRequest) -> HttpResponse:
    return _answer(request, _token)


def deauthorize(request: HttpRequest) -> HttpResponse:
    return _answer(request, _deauthorize)


def _answer(request: HttpRequest, act: Act) -> HttpResponse:
    given = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    if secret := given.pop("client_secret", ""):
        request.META["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    try:
        scope = auth.scope_of(request, request_id(), timezone.now())
        with transaction.atomic():
            body = act(scope, given)
            events.flush(scope)
    except OAuthError as error:
        return JsonResponse(error.body, status=error.status)
    except StripeError as error:
        return JsonResponse({"error": "invalid_client", "error_description": error.message}, status=error.status)
    return JsonResponse(body)


def _token(scope: Scope, given: dict[str, str]) -> dict[str, object]:
    if given.get("grant_type") != "authorization_code":
        raise OAuthError("unsupported_grant_type", f"Unsupported grant type: {given.get('grant_type')}")
    code = OAuthCode.objects.select_for_update().filter(code=given.get("code", "")).first()
    if code is None or not _valid(scope, code):
        raise OAuthError("invalid_grant", f"Authorization code provided does not exist: {given.get('code')}")
    code.delete()
    Connection.objects.get_or_create(platform=code.connection_platform, account=code.account, livemode=code.livemode)
    key = ApiKey.objects.create(secret=f"sk_test_{random_text(32)}", account=code.account, livemode=code.livemode)
    return {
        "access_token": key.secret,
        "livemode": code.livemode,
        "refresh_token": f"rt_{random_text(32)}",
        "token_type": "bearer",
        "stripe_publishable_key": f"pk_test_{random_text(32)}",
        "stripe_user_id": code.account_id,
        "scope": code.scope,
    }


def _valid(scope: Scope, code: OAuthCode) -> bool:
    ours = code.connection_platform_id == scope.platform and code.livemode == scope.livemode
    return ours and scope.real_now - code.issued_at <= LIFETIME


def _deauthorize(scope: Scope, given: dict[str, str]) -> dict[str, object]:
    account = given.get("stripe_user_id", "")
    platform = Account.objects.get(pk=scope.platform)
    if given.get("client_id") != platform.client_id:
        raise OAuthError("invalid_client", f"No such application: '{given.get('client_id')}'", 401)
    connection = Connection.objects.filter(platform=platform, account=account, livemode=scope.livemode).first()
    if connection is None:
        message = f"This application is not connected to stripe account {account}, or that account does not exist."
        raise OAuthError("invalid_client", message, 401)
    told = Scope(account, scope.livemode, scope.now, scope.real_now)
    told.emit(
        "account.application.deauthorized",
        {"id": platform.client_id, "object": "application", "name": platform.name},
    )
    events.flush(told)
    connection.delete()
    return {"stripe_user_id": account}
