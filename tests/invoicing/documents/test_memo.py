"""The memo's variables, and everything that only looks like one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invoicing.invoices.documents.memo import MEMO_VARIABLES, render_memo, unknown_variables

VALUES = {variable.name: f"<{variable.name}>" for variable in MEMO_VARIABLES}


def test_there_are_seven_variables_each_with_its_help():
    assert [variable.name for variable in MEMO_VARIABLES] == [
        "invoice_id",
        "billing_cycle_start",
        "billing_cycle_end",
        "min_item_start_time",
        "max_item_end_time",
        "customer_display_name",
        "customer_name",
    ]
    assert all(variable.help.endswith(".") for variable in MEMO_VARIABLES)


@pytest.mark.parametrize("name", VALUES)
def test_each_variable_is_filled_in(name):
    assert render_memo(f"a {{{name}}}{{{name}}} z", VALUES) == f"a <{name}><{name}> z"


@pytest.mark.parametrize(
    "text",
    [
        "{unknown}",
        "{Customer_Name}",
        "{ customer_name }",
        "{{customer_name}}",
        "{customer_name",
        "customer_name}",
        "{}",
        "}{",
        "{customer_name.__class__}",
        "{customer_name!r}",
        "{0}",
        "%(customer_name)s $customer_name",
    ],
)
def test_whatever_is_no_variable_stays_as_typed(text):
    assert render_memo(text, VALUES) == text


def test_a_variable_without_value_stays_as_typed():
    assert render_memo("{customer_name} {invoice_id}", {"invoice_id": "7"}) == "{customer_name} 7"


def test_only_the_documented_names_are_variables():
    assert render_memo("{secret}", {"secret": "x"}) == "{secret}"


def test_values_are_not_looked_at_again():
    values = VALUES | {"customer_display_name": "{invoice_id} \\1"}
    assert render_memo("For {customer_display_name}", values) == "For {invoice_id} \\1"


def test_unknown_variables_are_named_once_in_order():
    text = "{b} {customer_name} {a} {b} {{c}} { d }"
    assert unknown_variables(text) == ["b", "a"]


@given(st.text(alphabet="{} ab_customer_name\n"))
def test_text_outside_variables_never_changes(text):
    assert render_memo(text, {}) == text
