"""Billing portal sessions: a page of Stripe's on which a customer looks after its payment methods."""

from urllib.parse import urlsplit

from payments.sandbox import links, store
from payments.sandbox.errors import bad_request
from payments.sandbox.ids import new_id, random_text
from payments.sandbox.params import Hash, Params, Text
from payments.sandbox.resources.customers import usable
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope
from payments.sandbox.shapes import setups as shapes

# Stripe's own default configuration, which every account has here.
CONFIGURATION = "bpc_{account}"
COMPLETION = Hash(
    fields={
        "type": Text(required=True, choices=("hosted_confirmation", "portal_homepage", "redirect")),
        "redirect": Hash(fields={"return_url": Text(required=True)}),
        "hosted_confirmation": Hash(fields={"custom_message": Text(longest=500)}),
    }
)


@endpoint(
    "POST",
    "/v1/billing_portal/sessions",
    {
        "customer": Text(required=True),
        "configuration": Text(),
        "flow_data": Hash(
            fields={
                "type": Text(required=True, choices=("payment_method_update",)),
                "after_completion": COMPLETION,
            }
        ),
        "locale": Text(),
        "return_url": Text(),
    },
)
def create(scope: Scope, params: Params) -> JSON:
    customer = usable(store.get(scope, "customer", params["customer"], param="customer"))
    if urlsplit(params.get("return_url", "https://a")).scheme not in ("http", "https"):
        raise bad_request("Not a valid URL", code="url_invalid", param="return_url")
    id_ = new_id("billing_portal.session")
    url = links.page(scope, "p/session", f"{id_}_{random_text(32)}")
    blank = shapes.portal_session(id_, scope.timestamp, scope.livemode, customer.stripe_id, url)
    fields: JSON = {name: params[name] for name in ("locale", "return_url") if name in params}
    fields["configuration"] = params.get("configuration") or CONFIGURATION.format(
        account=scope.account.removeprefix("acct_")
    )
    if "flow_data" in params:
        fields["flow"] = _flow(params["flow_data"])
    return store.insert(scope, {**blank, **fields}, event="billing_portal.session.created").data


def _flow(given: Params) -> JSON:
    after = given.get("after_completion", {"type": "portal_homepage"})
    return {
        "after_completion": {
            "hosted_confirmation": _confirmation(after.get("hosted_confirmation")),
            "redirect": after.get("redirect"),
            "type": after["type"],
        },
        "customer_update": None,
        "subscription_cancel": None,
        "subscription_pause": None,
        "subscription_update": None,
        "subscription_update_confirm": None,
        "type": given["type"],
    }


def _confirmation(given: Params | None) -> JSON | None:
    return None if given is None else {"custom_message": given.get("custom_message")}
