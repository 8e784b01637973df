"""Who may see a screen and press its buttons. Every view of the portal is a ``screen`` or a ``verb``.

Both make sure that somebody is signed in and belongs to a vendor, and hand the view an
``OperatorRequest``: the vendor, the role, and the moment. A verb accepts nothing but POST, from
those whose role allows it. The vendor's zone is active while the view runs, so that its templates
show the vendor's time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Membership, Operator, Role
from billing_portal.accounts.roles import Permission, allows
from customers import log_context
from customers.actors import Actor
from customers.vendor import Vendor

SESSION_KEY = "vendor_id"


class OperatorRequest(HttpRequest):
    """A request of a signed-in operator, in one vendor. ``now`` is the vendor's time."""

    user: Operator
    vendor: Vendor
    role: Role
    now: datetime
    real_now: datetime
    actor: Actor
    memberships: list[Membership]


View = Callable[..., HttpResponse]


def may(request: OperatorRequest, permission: Permission) -> bool:
    return allows(request.role, permission)


def screen(view: View) -> View:
    """A page to look at."""
    return _guarded(view, {"GET": None, "HEAD": None})


def form_screen(permission: Permission) -> Callable[[View], View]:
    """A page to look at, and to save by those who hold the permission."""
    return lambda view: _guarded(view, {"GET": None, "HEAD": None, "POST": permission})


def own_screen(view: View) -> View:
    """A page on which every role changes what is theirs alone."""
    return _guarded(view, {"GET": None, "HEAD": None, "POST": None})


def open_verb(view: View) -> View:
    """A POST that every role may send: it changes nothing, or only the session."""
    return _guarded(view, {"POST": None})


def verb(permission: Permission) -> Callable[[View], View]:
    """Changes something."""
    return lambda view: _guarded(view, {"POST": permission})


def returning(permission: Permission) -> Callable[[View], View]:
    """A GET on which the browser comes back from another site, and which carries the visit out. The view itself
    makes sure that the visit began in this session: nothing else protects it from being sent by a stranger."""
    return lambda view: _guarded(view, {"GET": permission})


def _guarded(view: View, methods: dict[str, Permission | None]) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method not in methods:
            return HttpResponseNotAllowed(methods)
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path(), reverse("portal:sign_in"))
        operator_request = _for_operator(request)
        _require(operator_request, methods[request.method])
        with timezone.override(operator_request.vendor.zone):
            response = view(operator_request, *args, **kwargs)
        response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    guarded.methods = methods  # type: ignore[attr-defined]  # what tests/portal/test_roles.py walks by
    return guarded


def _require(request: OperatorRequest, permission: Permission | None) -> None:
    if permission is not None and not may(request, permission):
        needed = permission.replace("_", " ")
        raise PermissionDenied(f"Your role, {request.role.label}, may not {needed}. Ask an owner of {request.vendor}.")


def _for_operator(request: HttpRequest) -> OperatorRequest:
    mine = cast(OperatorRequest, request)
    mine.memberships = memberships_of(request)
    if not mine.memberships:
        raise PermissionDenied("You do not belong to a vendor yet. Ask an owner to invite you.")
    current = current_membership(request)
    mine.vendor, mine.role = current.vendor, Role(current.role)
    log_context.note(vendor=mine.vendor.name)
    mine.real_now = timezone.now()
    mine.now = mine.vendor.now(mine.real_now)
    mine.actor = mine.user.as_actor()
    return mine


def memberships_of(request: HttpRequest) -> list[Membership]:
    """The operator's vendors by name, read once a request."""
    if not hasattr(request, "_memberships"):
        rows = Membership.objects.filter(operator=cast(Operator, request.user)).select_related("vendor")
        request._memberships = list(rows.order_by("vendor__display_name", "pk"))  # type: ignore[attr-defined]
    return cast("list[Membership]", request._memberships)  # type: ignore[attr-defined]


def current_membership(request: HttpRequest) -> Membership:
    """The one chosen in this session, else the first."""
    chosen = request.session.get(SESSION_KEY)
    mine = memberships_of(request)
    return next((m for m in mine if m.vendor_id == chosen), mine[0])
