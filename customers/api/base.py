"""What every endpoint shares: who asks, when, strict input, and lookups that stay within the vendor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property, partial
from typing import Any, ClassVar, Protocol, TypeVar, cast
from uuid import UUID

from django.db import models
from django.http import QueryDict
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from customers.actors import Access, Actor
from customers.api.names import snake_case
from customers.customer import Customer
from customers.errors import Missing
from customers.scoping import VendorOwned
from customers.vendor import Vendor

O = TypeVar("O", bound=VendorOwned)  # noqa: E741 - "an owned thing"
M = TypeVar("M", bound=models.Model)


# The Python client library writes a list as names[0]=a&names[1]=b.
_INDEX = re.compile(r"\[\d*\]$")

WRITES = frozenset({"post", "put", "patch", "delete"})


class Credential(Protocol):
    """``request.auth``, as the layer above provides it."""

    @property
    def vendor(self) -> Vendor: ...

    def as_actor(self) -> Actor: ...


class AlwaysFirst(BaseContentNegotiation):
    """JSON in and JSON out, whatever the headers say."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """By content type, else JSON: ``curl -d`` announces a form unless it is told otherwise."""
        sent = request.content_type.partition(";")[0].strip()
        offered = list(parsers)
        return next((parser for parser in offered if parser.media_type == sent), offered[0])

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, first.media_type


class WriteGuard(Protocol):
    def __call__(self, view: VendorView, handle: Callable[[], HttpResponseBase]) -> HttpResponseBase:
        """Carries out a write by calling ``handle``, or answers in its place."""


class StepGuard(Protocol):
    def __call__(self, step: str, work: Callable[[], str]) -> str:
        """Takes a step in a transaction of its own, or answers what it came to when it was taken before."""


# Filled by the API's frame, in ``AppConfig.ready``: each Idempotency-Key is carried out once.
write_guards: list[WriteGuard] = []
step_guards: list[StepGuard] = []


def step_by_step(step: str, work: Callable[[], str]) -> str:
    """A step of a write that is several transactions (``calls_out``)."""
    for guard in step_guards:
        return guard(step, work)
    return work()


class VendorView(APIView):
    """An endpoint on behalf of one vendor. Handlers hand ``actor``, ``now`` and ``real_now`` to verbs.

    ``calls_out``: the methods whose handlers talk to the network, or take many steps, between transactions of their
    own. Whatever other handlers do is one transaction.

    ``access``: the methods that ask more or less of an API key than their names say, such as a POST that only
    reads. The authentication of the layer above looks at it.
    """

    content_negotiation_class = AlwaysFirst
    calls_out: ClassVar[frozenset[str]] = frozenset()
    access: ClassVar[Mapping[str, Access]] = {}

    @classmethod
    def access_of(cls, method: str) -> Access:
        return cls.access.get(method, Access.READ if method in SAFE_METHODS else Access.WRITE)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Once the vendor is known, writes are put into the hands of the guards."""
        super().initial(request, *args, **kwargs)
        method = (request.method or "").lower()
        if method in WRITES and hasattr(self, method):
            for guard in write_guards:
                setattr(self, method, self._guarded(guard, getattr(self, method)))

    def _guarded(self, guard: WriteGuard, handler: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        return lambda *args, **kwargs: guard(self, partial(handler, *args, **kwargs))

    @property
    def credential(self) -> Credential:
        return cast(Credential, self.request.auth)

    @property
    def vendor(self) -> Vendor:
        return self.credential.vendor

    @property
    def actor(self) -> Actor:
        return self.credential.as_actor()

    @cached_property
    def real_now(self) -> datetime:
        """Asked once a request, so that all it writes carries one time."""
        return timezone.now()

    @property
    def now(self) -> datetime:
        """The vendor's time."""
        return self.vendor.now(self.real_now)

    def read(self, serializer: type[Serializer[Any]], *, many: bool = False) -> Any:
        """The validated body. Raises ``ValidationError``; an absent body reads as an empty object."""
        data = self.request.data
        reader = serializer(data={} if data is None else data, many=many, context={"view": self})
        reader.is_valid(raise_exception=True)
        return reader.validated_data

    def read_query(self, serializer: type[Serializer[Any]]) -> Any:
        """The validated query parameters; repeated keys arrive where the serializer has a list field."""
        given = QueryDict(mutable=True)
        for sent, values in self.request.query_params.lists():
            name = snake_case(_INDEX.sub("", sent))
            given.setlist(name, [*given.getlist(name), *values])
        reader = serializer(data=given, context={"view": self})
        reader.is_valid(raise_exception=True)
        return reader.validated_data

    def find(self, rows: models.QuerySet[M], what: str, **lookup: Any) -> M:
        """One row, or ``Missing``. ``rows`` starts with ``Model.objects.of(self.vendor)``."""
        row = rows.filter(**lookup).first()
        if row is None:
            raise Missing(f"There is no {what} {', '.join(str(value) for value in lookup.values())!r}.")
        return row

    def find_uuid(self, rows: models.QuerySet[M], what: str, text: str) -> M:
        """By ``uuid``, in any of its spellings."""
        try:
            return self.find(rows, what, uuid=UUID(text))
        except ValueError:
            raise Missing(f"There is no {what} {text!r}.") from None

    def find_named(self, rows: models.QuerySet[O], what: str, name: str) -> O:
        """By name as it stands in the address. The Python client library writes spaces as plus signs."""
        row = rows.filter(name=name).first()
        if row is None and "+" in name:
            row = rows.filter(name=name.replace("+", " ")).first()
        if row is None:
            raise Missing(f"There is no {what} {name!r}.")
        return row

    def customer(self, name: str) -> Customer:
        """The vendor's customer of this name, with ``vendor`` loaded."""
        customer = self.find_named(Customer.objects.of(self.vendor), "customer", name)
        customer.vendor = self.vendor
        return customer


def done(data: Any = None, *, status: int = 200) -> Response:
    """An answer. Without data it is ``{}``: the Python client library cannot read an empty body."""
    return Response({} if data is None else data, status=status)


class StrictSerializer(Serializer[Any]):
    """Refuses fields it does not know, by name, so that a misspelt one is never silently ignored."""

    # Fields that callers may send without effect: what answers carry besides, or older clients send.
    ignored: ClassVar[frozenset[str]] = frozenset()

    def to_internal_value(self, data: Any) -> Any:
        errors = self._unknown(data)
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            detail = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
            raise ValidationError({**detail, **errors}) from None
        if errors:
            raise ValidationError(errors)
        return value

    def _unknown(self, data: Any) -> dict[str, list[str]]:
        if not isinstance(data, dict):
            return {}
        writable = [name for name, field in self.fields.items() if not field.read_only]
        unknown = [name for name in data if name not in self.fields and name not in self.ignored]
        return {name: [unknown_field(name, writable)] for name in unknown}


def unknown_field(name: str, known: Iterable[str]) -> str:
    """The text of a refusal: what was not understood, and what may have been meant."""
    close = get_close_matches(name, list(known), n=3)
    return "Unknown field." + (f" Did you mean {' or '.join(close)}?" if close else "")
