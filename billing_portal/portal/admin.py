"""The tables behind the portal, for superusers. Whatever a verb or the schedule writes is only to be
looked at here, so that nothing goes around the rules; people and their roles can be edited."""

from __future__ import annotations

from collections.abc import Iterable

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from billing_portal.accounts.models import ApiKey, Membership, Operator
from customers import models as parties
from invoicing import models as billing
from payments.stripe.admin import ADMINS

admin.site.unregister(Group)


HTTPS = {models.URLField: {"assume_scheme": "https"}}


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    show_full_result_count = False
    list_per_page = 50
    formfield_overrides = HTTPS

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


@admin.register(Operator)
class OperatorAdmin(UserAdmin, ModelAdmin):  # type: ignore[misc, type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("email", "first_name", "last_name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email", "first_name", "last_name")
    ordering = ("email",)
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        ("Name", {"fields": ("first_name", "last_name")}),
        ("Access", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)


@admin.register(Membership)
class MembershipAdmin(ModelAdmin):  # type: ignore[misc]
    list_display = ("operator", "vendor", "role")
    list_filter = ("role",)
    list_select_related = ("operator", "vendor")
    autocomplete_fields = ("operator",)


@admin.register(parties.Vendor)
class VendorAdmin(ModelAdmin):  # type: ignore[misc]
    """The clock moves through the portal and the API, where what falls due is done in order."""

    list_display = ("display_name", "name", "currency", "time_zone", "is_test")
    search_fields = ("name", "display_name")
    formfield_overrides = HTTPS
    readonly_fields = ("name", "is_test", "clock_offset", "clock_target", "clock_frozen_at", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


def columns_of(model: type[models.Model]) -> list[str]:
    """The first few short columns: enough to recognise a row by."""
    short = [f.name for f in model._meta.concrete_fields if not isinstance(f, models.JSONField | models.BinaryField)]
    return short[:8]


def read_only(model: type[models.Model]) -> type[ReadOnlyAdmin]:
    foreign = [f.name for f in model._meta.concrete_fields if isinstance(f, models.ForeignKey)]
    hidden = [f.name for f in model._meta.concrete_fields if f.name in ("hash", "secret", "pdf")]
    shape = {"list_display": columns_of(model), "list_select_related": foreign, "exclude": hidden}
    return type(f"{model.__name__}Admin", (ReadOnlyAdmin,), shape)


def _kept_by_verbs() -> Iterable[type[models.Model]]:
    """Without what has no number of its own, which the admin cannot show."""
    named = [getattr(room, name) for room in (parties, billing) for name in room.__all__]
    numbered = (model for model in named if not isinstance(model._meta.pk, models.CompositePrimaryKey))
    return [ApiKey, *(model for model in numbered if model is not parties.Vendor)]


for _model in _kept_by_verbs():
    admin.site.register(_model, read_only(_model))
for _model, _admin in ADMINS.items():
    admin.site.register(_model, _admin)
