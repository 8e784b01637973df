"""Connect's OAuth: a page where a test account agrees, and the calls that follow.

A code is good once, for five minutes, and only for the platform it was made for."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.utils import timezone

from payments.sandbox import auth, consent, events, seed
from payments.sandbox.errors import OAuthError, StripeError
from payments.sandbox.ids import random_text, request_id
from payments.sandbox.models import Account, ApiKey, Connection, OAuthCode
from payments.sandbox.scope import Scope

Act = Callable[[Scope, dict[str, str]], dict[str, object]]
LIFETIME = timedelta(minutes=5)
SCOPES = ("read_only", "read_write")


@dataclass(frozen=True)
class Application:
    """A platform, in the mode that its client id stands for."""

    platform: Account
    livemode: bool


def authorize(request: HttpRequest) -> HttpResponse:
    """The consent page; posting it agrees (with an account) or refuses."""
    given = request.GET
    application = _application(given.get("client_id", ""))
    if application is None:
        return _refused("No application matches the supplied client identifier.")
    if given.get("response_type") != "code":
        return _refused("The response_type must be code.")
    back = given.get("redirect_uri", "")
    if not back.startswith(("http://", "https://")):
        return _refused("The redirect_uri is missing or no web address.")
    if request.method != "POST":
        return HttpResponse(consent.page(application.platform, _candidates(application), application.livemode))
    joint = "&" if "?" in back else "?"
    return HttpResponseRedirect(f"{back}{joint}{urlencode(_verdict(request, application))}")


def _application(client_id: str) -> Application | None:
    if not client_id:
        return None
    known = Account.objects.filter(Q(client_id=client_id) | Q(live_client_id=client_id)).first()
    return Application(known, known.live_client_id == client_id) if known else None


def _refused(why: str) -> HttpResponse:
    return HttpResponse(consent.problem(why), status=400)


def _verdict(request: HttpRequest, application: Application) -> dict[str, str]:
    state = {"state": request.GET["state"]} if "state" in request.GET else {}
    account = _chosen(request, application)
    if account is None:
        description = "The user denied your request"
        return {"error": "access_denied", "error_description": description, **state}
    scope = request.GET.get("scope", "read_only")
    code = OAuthCode.objects.create(
        code=f"ac_{secrets.token_urlsafe(24)}",
        connection_platform=application.platform,
        account=account,
        livemode=application.livemode,
        scope=scope if scope in SCOPES else "read_only",
        issued_at=timezone.now(),
    )
    return {"scope": code.scope, "code": code.code, **state}


def _chosen(request: HttpRequest, application: Application) -> Account | None:
    """The account that agrees; ``new`` opens one, as a person without an account may."""
    if request.POST.get("answer") != "connect":
        return None
    wanted = request.POST.get("account", "")
    if wanted == consent.NEW:
        return seed.new_account("Another test account")
    return _open_accounts(application).filter(pk=wanted).first()


def _candidates(application: Application) -> list[Account]:
    return list(_open_accounts(application).order_by("name", "created", "id"))


def _open_accounts(application: Application) -> QuerySet[Account]:
    return Account.objects.exclude(pk=application.platform.pk).filter(client_id="")


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
    mode = "live" if code.livemode else "test"
    key = ApiKey.objects.create(secret=f"sk_{mode}_{random_text(32)}", account=code.account, livemode=code.livemode)
    return {
        "access_token": key.secret,
        "livemode": code.livemode,
        "refresh_token": f"rt_{random_text(32)}",
        "token_type": "bearer",
        "stripe_publishable_key": f"pk_{mode}_{random_text(32)}",
        "stripe_user_id": code.account_id,
        "scope": code.scope,
    }


def _valid(scope: Scope, code: OAuthCode) -> bool:
    ours = code.connection_platform_id == scope.platform and code.livemode == scope.livemode
    return ours and scope.real_now - code.issued_at <= LIFETIME


def _deauthorize(scope: Scope, given: dict[str, str]) -> dict[str, object]:
    account = given.get("stripe_user_id", "")
    platform = Account.objects.get(pk=scope.platform)
    ours = platform.live_client_id if scope.livemode else platform.client_id
    if not ours or given.get("client_id") != ours:
        raise OAuthError("invalid_client", f"No such application: '{given.get('client_id')}'", 401)
    connection = Connection.objects.filter(platform=platform, account=account, livemode=scope.livemode).first()
    if connection is None:
        message = f"This application is not connected to stripe account {account}, or that account does not exist."
        raise OAuthError("invalid_client", message, 401)
    told = Scope(account, scope.livemode, scope.now, scope.real_now)
    told.emit(
        "account.application.deauthorized",
        {"id": ours, "object": "application", "name": platform.name},
    )
    events.flush(told)
    connection.delete()
    return {"stripe_user_id": account}
