"""Refusals, in the words and the shape that Stripe uses.

An endpoint that raises one undoes its work. An endpoint that *returns* one (a declined card)
keeps it: the failed attempt is a fact.
"""

from collections.abc import Sequence
from typing import Any

JSON = dict[str, Any]


class StripeError(Exception):
    """One error answer: HTTP status and the fields of ``error``."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}
        self.fields: JSON = {"code": code, "param": param, **more, "type": type}

    @property
    def leaves_the_key_free(self) -> bool:
        """Refused before anything was begun: for what the request says, for who asks, or for when."""
        return self.status in (401, 403, 409, 429) or (self.status == 400 and self.fields["param"] is not None)

    def error(self, request_id: str) -> JSON:
        body = {"message": self.message}
        body |= {name: value for name, value in self.fields.items() if value is not None}
        if code := self.fields["code"]:
            body["doc_url"] = "https://stripe.com/docs/error-codes/" + code.replace("_", "-")
        body["request_log_url"] = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return body


class OAuthError(Exception):
    """OAuth endpoints answer with a flat body of their own."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": error, "error_description": description}


def bad_request(message: str, *, code: str | None = None, param: str | None = None) -> StripeError:
    return StripeError(400, message, code=code, param=param)


def unknown_parameters(names: Sequence[str]) -> StripeError:
    plural = "s" if len(names) > 1 else ""
    message = f"Received unknown parameter{plural}: {', '.join(names)}"
    return bad_request(message, code="parameter_unknown", param=names[0])


def missing_parameter(name: str) -> StripeError:
    return bad_request(f"Missing required param: {name}.", code="parameter_missing", param=name)


def empty_parameter(name: str) -> StripeError:
    message = (
        f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a "
        f"parameter; however '{name}' cannot be unset. You should remove '{name}' from your request or "
        "supply a non-empty value."
    )
    return bad_request(message, code="parameter_invalid_empty", param=name)


def no_such(kind: str, id_: str, *, param: str = "id") -> StripeError:
    """404 for the object in the path, 400 where a parameter named it."""
    message = f"No such {kind.replace('_', ' ') if kind != 'payment_method' else 'PaymentMethod'}: '{id_}'"
    status = 404 if param == "id" else 400
    return StripeError(status, message, code="resource_missing", param=param)


def unauthenticated(message: str) -> StripeError:
    return StripeError(401, message)


def no_access(key: str, account: str) -> StripeError:
    message = (
        f"The provided key '{key[:8]}...{key[-4:]}' does not have access to account '{account}' "
        "(or that account does not exist). Application access may have been revoked."
    )
    return StripeError(403, message, code="account_invalid")


def unrecognized_url(method: str, path: str) -> StripeError:
    return StripeError(404, f"Unrecognized request URL ({method}: {path}).")


def server_error() -> StripeError:
    return StripeError(500, "An unknown error occurred", type="api_error")


def rate_limited() -> StripeError:
    message = (
        "Request rate limit exceeded. You can learn more about rate limits at https://stripe.com/docs/rate-limits."
    )
    return StripeError(429, message, code="rate_limit")
