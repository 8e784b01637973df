"""Searching customers in Stripe's query language: ``email:"a@b.c" AND metadata["key"]:"value"``."""

import re
from datetime import timedelta

from django.db.models import Q

from payments.sandbox import store
from payments.sandbox.errors import StripeError, bad_request
from payments.sandbox.params import Params, Text, Whole
from payments.sandbox.routing import endpoint
from payments.sandbox.scope import JSON, Scope

# Stripe's search lags behind what was written, which integrations have to live with.
LAG = timedelta(minutes=1)
CLAUSE = re.compile(
    r"""\s*(?P<not>-)?(?P<field>created|email|name|phone|metadata\["(?P<key>[^"]+)"\])"""
    r"""(?P<operator>:|~|>=|<=|>|<)(?:"(?P<text>[^"]*)"|'(?P<quoted>[^']*)'|(?P<bare>[\w.]+))\s*"""
)
JOIN = re.compile(r"(AND|OR)\b")
COMPARED = {">": "created__gt", ">=": "created__gte", "<": "created__lt", "<=": "created__lte", ":": "created"}


@endpoint(
    "GET",
    "/v1/customers/search",
    {"query": Text(required=True), "limit": Whole(least=1, most=100), "page": Text()},
)
def search(scope: Scope, params: Params) -> JSON:
    visible = store.query(scope, "customer").filter(deleted=False, created__lte=int((scope.now - LAG).timestamp()))
    start, limit = _start(params.get("page", "0")), params.get("limit", 10)
    found = list(visible.filter(condition(params["query"])).order_by("-pk")[start : start + limit + 1])
    more = len(found) > limit
    return {
        "object": "search_result",
        "data": [row.data for row in found[:limit]],
        "has_more": more,
        "next_page": str(start + limit) if more else None,
        "url": "/v1/customers/search",
    }


def condition(query: str) -> Q:
    """Clauses joined by AND or by OR, but not by both: as Stripe, without parentheses."""
    clauses, joins, position = [], set(), 0
    while True:
        match = CLAUSE.match(query, position)
        if match is None:
            raise _not_understood(query)
        clauses.append(_clause(match, query))
        position = match.end()
        if position == len(query):
            break
        join = JOIN.match(query, position)
        if join is None:
            raise _not_understood(query)
        joins.add(join[1])
        position = join.end()
    if len(joins) > 1:
        raise bad_request("You can't combine AND and OR in one search query.", param="query")
    found = clauses[0]
    for clause in clauses[1:]:
        found = found | clause if "OR" in joins else found & clause
    return found


def _clause(match: re.Match[str], query: str) -> Q:
    given = next(value for value in match.group("text", "quoted", "bare") if value is not None)
    field, operator = match["field"], match["operator"]
    if field == "created":
        if not given.isdigit() or operator not in COMPARED:
            raise _not_understood(query)
        found = Q(**{COMPARED[operator]: int(given)})
    elif operator == ":" and match["key"]:
        found = Q(data__contains={"metadata": {match["key"]: given}})
    elif operator in (":", "~") and not match["key"]:
        found = Q(**{f"data__{field}__{'iexact' if operator == ':' else 'icontains'}": given})
    else:
        raise _not_understood(query)
    if not match["not"]:
        return found
    unsaid = Q() if field == "created" or match["key"] else Q(**{f"data__{field}": None})
    return ~found | unsaid


def _not_understood(query: str) -> StripeError:
    message = f"We were unable to parse your search query: {query}. Fields: created, email, metadata, name, phone."
    return bad_request(message, param="query")


def _start(page: str) -> int:
    if not page.isdigit():
        raise bad_request("Invalid page token.", param="page")
    return int(page)
