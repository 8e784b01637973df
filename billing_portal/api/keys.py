"""/api_keys, and rolling a key as existing clients do it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, TypedDict

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing_portal.accounts.keys import make_key, roll_key
from billing_portal.accounts.models import ApiKey, Scope, hash_key
from customers.api.base import StrictSerializer, VendorView, done
from customers.api.paging import CursorQuery, listed
from customers.api.schema import documented
from customers.errors import Invalid

ROLLED = "The old key goes on to work until then. Left out: for seven days. Now: it ends at once."


class ApiKeyInput(StrictSerializer):
    name = serializers.CharField(max_length=64, help_text="Where it is used. What is done with it appears under it.")
    scope = serializers.ChoiceField(choices=Scope.choices, default=Scope.WRITE)
    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="Left out: it does not expire.")


class RollInput(StrictSerializer):
    expires_at = serializers.DateTimeField(required=False, help_text=ROLLED)


class OctaneRollInput(RollInput):
    api_key = serializers.CharField(max_length=255, help_text="The key to roll; it may be the one you send along.")


class ApiKeyQuery(CursorQuery):
    filters = {"scope": "scope"}

    scope = serializers.ChoiceField(choices=Scope.choices, required=False)


class ApiKeyAnswer(TypedDict):
    uuid: str
    name: str
    prefix: Annotated[str, "The key's first characters. The key itself is not kept."]
    scope: Scope
    created_at: datetime
    expires_at: datetime | None
    rolled_at: Annotated[datetime | None, "When its successor was made."]
    last_used_at: Annotated[datetime | None, "To the minute."]


class NewApiKeyAnswer(ApiKeyAnswer):
    api_key: Annotated[str, "Shown this once."]


class RolledAnswer(TypedDict):
    api_key: Annotated[str, "The new key, shown this once."]
    success: bool


class ApiKeysView(VendorView):
    @documented("list_api_keys", query=ApiKeyQuery, answer=list[ApiKeyAnswer])
    def get(self, request: Request) -> Response:
        """Newest first; revoked and expired ones too."""
        rows = ApiKey.objects.of(self.vendor)
        return listed(self, rows, _shape, order=("-created_at", "-pk"), query=ApiKeyQuery)

    @documented("create_api_key", body=ApiKeyInput, answer=NewApiKeyAnswer)
    def post(self, request: Request) -> Response:
        row, key = make_key(self.vendor, **self.read(ApiKeyInput), real_now=self.real_now)
        return done({**_shape(row), "api_key": key})


class ApiKeyVendorView(VendorView):
    def key(self, uuid: str) -> ApiKey:
        return self.find_uuid(ApiKey.objects.of(self.vendor).select_related("vendor"), "API key", uuid)


class ApiKeyView(ApiKeyVendorView):
    @documented("get_api_key", answer=ApiKeyAnswer)
    def get(self, request: Request, uuid: str) -> Response:
        return done(_shape(self.key(uuid)))

    @documented("revoke_api_key")
    def delete(self, request: Request, uuid: str) -> Response:
        """From now on it opens nothing. It stays in the list."""
        self.key(uuid).revoke(real_now=self.real_now)
        return done()


class RollApiKeyView(ApiKeyVendorView):
    @documented("roll_api_key", body=RollInput, answer=NewApiKeyAnswer)
    def post(self, request: Request, uuid: str) -> Response:
        """A successor with the same name and scope. For a while both work."""
        row, key = roll_key(self.key(uuid), **self.read(RollInput), real_now=self.real_now)
        return done({**_shape(row), "api_key": key})


class OctaneRollView(VendorView):
    @documented("roll_api_key_by_value", body=OctaneRollInput, answer=RolledAnswer)
    def post(self, request: Request) -> Response:
        """As existing clients roll a key: by the key itself."""
        given = self.read(OctaneRollInput)
        found = ApiKey.objects.of(self.vendor).filter(hash=hash_key(given.pop("api_key"))).first()
        if found is None:
            raise Invalid({"api_key": "This is no API key of yours."})
        _, key = roll_key(found, **given, real_now=self.real_now)
        return done({"api_key": key, "success": True})


def _shape(row: ApiKey) -> ApiKeyAnswer:
    return {
        "uuid": str(row.uuid),
        "name": row.name,
        "prefix": row.prefix,
        "scope": Scope(row.scope),
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "rolled_at": row.rolled_at,
        "last_used_at": row.last_used_at,
    }
