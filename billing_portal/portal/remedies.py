"""One measurement that is nobody's, and all that are like it: whose they are is said once for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect

from billing_portal.accounts.roles import Permission
from billing_portal.portal.access import OperatorRequest, form_screen, may
from billing_portal.portal.bounded import count_up_to
from billing_portal.portal.forms import CODE, refuse
from billing_portal.portal.navigation import show
from customers.customer import Customer
from customers.errors import Refused
from customers.vendor import Vendor
from invoicing.usage.models import UnattributedMeasurement
from invoicing.usage.remedy import Group, Remedied, groups_of, remedy

SHOWN = 10


class RemedyForm(forms.Form):
    group = forms.ChoiceField(label="Which")
    customer = forms.CharField(
        label="Customer", max_length=128, widget=forms.TextInput(CODE), help_text="Whose they are: its code name."
    )
    maps = forms.BooleanField(
        label="Those to come too",
        required=False,
        help_text="Adds a measurement mapping to the customer: what is sent with this label from now on is its own.",
    )

    def __init__(self, vendor: Vendor, groups: Sequence[Group], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.vendor, self.groups = vendor, groups
        group = self.fields["group"]
        assert isinstance(group, forms.ChoiceField)  # noqa: S101 - declared above
        choices = [(str(place), self._described(one)) for place, one in enumerate(groups)]
        # Of several labels a person says which one names the customer.
        group.choices = choices if len(choices) == 1 else [("", "Choose…"), *choices]
        if any(one.customer_name for one in groups):
            del self.fields["maps"]

    def _described(self, group: Group) -> str:
        count = count_up_to(self.vendor, group.rows(self.vendor).order_by())
        return f"The one {group}" if count.value == 1 else f"All {count} {group}"

    def clean_customer(self) -> Customer:
        name = self.cleaned_data["customer"].strip()
        found = Customer.objects.of(self.vendor).select_related("vendor").filter(name=name).first()
        if found is None:
            raise forms.ValidationError(f"There is no customer {name!r}. Create it first, or mend the name.")
        return found

    def chosen_group(self) -> Group:
        return self.groups[int(self.cleaned_data["group"])]


@form_screen(Permission.CHANGE_CUSTOMER)
def attribute(request: OperatorRequest, pk: int) -> HttpResponse:
    row = UnattributedMeasurement.objects.of(request.vendor).filter(pk=pk).first()
    if row is None:
        raise Http404("That measurement is attributed already, or never waited here.")
    groups = groups_of(row)
    if not groups:
        messages.info(request, "That measurement does not wait for its customer.")
        return redirect("portal:unattributed")
    form = RemedyForm(request.vendor, groups, request.POST or None)
    if request.method == "POST" and form.is_valid() and _carry_out(request, form):
        return redirect("portal:unattributed")
    context = {
        "form": form,
        "measurement": row,
        "rows": groups[0].rows(request.vendor).order_by("-received_at", "-pk")[:SHOWN] if len(groups) == 1 else [row],
        "editable": may(request, Permission.CHANGE_CUSTOMER),
    }
    return show(request, "portal/catalog/attribute.html", context, title="Attribute usage", area="unattributed")


def _carry_out(request: OperatorRequest, form: RemedyForm) -> bool:
    """False when the verb refused; the form then says why."""
    customer, group = form.cleaned_data["customer"], form.chosen_group()
    moment: dict[str, Any] = {"actor": request.actor, "now": request.now, "real_now": request.real_now}
    try:
        done = remedy(customer, group, maps=bool(form.cleaned_data.get("maps")), **moment)
    except Refused as refusal:
        refuse(form, refusal)
        return False
    messages.success(request, in_words(customer, group, done, maps=bool(form.cleaned_data.get("maps"))))
    return True


def in_words(customer: Customer, group: Group, done: Remedied, *, maps: bool) -> str:
    measurements = "1 measurement" if done.attributed == 1 else f"{done.attributed:,} measurements"
    said = [f"{measurements} {group} now belong{'s' if done.attributed == 1 else ''} to {customer}."]
    if maps:
        said.append("Those to come will too.")
    if done.left:
        said.append(f"{done.left:,} of them still wait: open one to go on, or to see why.")
    return " ".join(said)
