"""What can be pressed on a page: each form that posts, with the buttons that send it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Form:
    action: str
    buttons: list[str] = field(default_factory=list)
    """The values of the buttons that send it; empty for one without a value."""


class _Reader(HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.forms: list[Form] = []
        self.by_id: dict[str, Form] = {}
        self.open: list[Form] = []
        self.fieldsets: list[bool] = []
        self.outside: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form(given)
        elif tag == "fieldset":
            self.fieldsets.append("disabled" in given)
        elif tag == "button" and given.get("type", "submit") == "submit" and "disabled" not in given:
            self._button(given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.open:
            self.open.pop()
        elif tag == "fieldset" and self.fieldsets:
            self.fieldsets.pop()

    def _form(self, given: dict[str, str]) -> None:
        form = Form(given.get("action") or self.address)
        self.open.append(form)
        if given.get("method", "").lower() == "post":
            self.forms.append(form)
        if "id" in given:
            self.by_id[given["id"]] = form

    def _button(self, given: dict[str, str]) -> None:
        if any(self.fieldsets):
            return
        if "form" in given:
            self.outside.append((given["form"], given.get("value", "")))
        elif self.open:
            sent_by = Form(given["formaction"]) if "formaction" in given else self.open[-1]
            sent_by.buttons.append(given.get("value", ""))
            if "formaction" in given:
                self.forms.append(sent_by)


def pressable(page: str, address: str) -> list[Form]:
    """``address`` is where a form goes that names none."""
    reader = _Reader(address)
    reader.feed(page)
    for name, value in reader.outside:
        if name in reader.by_id:
            reader.by_id[name].buttons.append(value)
    return [form for form in reader.forms if form.buttons]
