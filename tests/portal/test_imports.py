"""Customers and price lists from a file: what each row would do, doing it, and taking it back."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing_portal.accounts.models import Role
from billing_portal.lists import customer_rows, running
from billing_portal.lists.models import Import, ImportRow
from billing_portal.lists.reading import MOST_BYTES
from billing_portal.lists.tasks import go_on_with_imports
from customers.models import Customer, Event
from invoicing.models import MeteredComponent, PricePlan
from tests.factories import MeasurementFactory, MeteredComponentFactory, MeterFactory
from tests.portal.scene import Scene

SignedIn = Callable[..., Client]
ADDRESS = reverse("portal:imports")

FILE = """name,display_name,email,tags,measurement_mappings,vat_id
acme,Acme Robotics Ltd,ap@acme-robotics.example,vip; eu,account = acme,
hooli,Hooli,finance@hooli.example,,account = hooli,
piper,Pied Piper,richard@piper.example,,account = piper-.*,
bad,Bad Company,not an address,,,
pipette,Pipette,,,account = [,
piper,Pied Piper again,,,,
'=danger,Dangerous,,,,
"""


def upload(client: Client, text: str | bytes, kind: str = "customers", **more: Any) -> Any:
    content = text.encode() if isinstance(text, str) else text
    file = SimpleUploadedFile("people.csv", content, "text/csv")
    return client.post(ADDRESS, {"kind": kind, "file": file, **more}, follow=True)


def fates(made: Import) -> dict[int, str]:
    return dict(made.rows.order_by("line").values_list("line", "fate"))


def press(client: Client, made: Import, name: str) -> str:
    page = client.post(reverse("portal:move_import", args=[made.uuid, name]), follow=True)
    made.refresh_from_db()
    return " ".join(page.content.decode().split())


def test_a_file_is_checked_imported_and_undone(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in(Role.SUPPORT)
    page = upload(client, FILE).content.decode()
    made = Import.objects.of(scene.vendor).get()
    assert made.state == "checked"
    assert fates(made) == {
        2: "update", 3: "unchanged", 4: "create", 5: "error", 6: "error", 7: "error", 8: "create",
    }  # fmt: skip
    assert "Enter a valid email address." in page
    assert "The same name as in line 4" in page
    assert "display_name, tags" in page
    assert not Customer.objects.of(scene.vendor).filter(name="piper").exists()

    press(client, made, "apply")
    assert made.state == "applied"
    piper = Customer.objects.of(scene.vendor).get(name="piper")
    assert [rule.value_regex for rule in piper.measurement_mappings.all()] == ["piper-.*"]
    acme = Customer.objects.of(scene.vendor).get(name="acme")
    assert (acme.display_name, acme.tags, acme.city) == ("Acme Robotics Ltd", ["vip", "eu"], "Springfield")
    assert Customer.objects.of(scene.vendor).filter(name="=danger").exists()
    [told] = Event.objects.of(scene.vendor).filter(kind="import.applied")
    assert (told.actor_label, told.details["note"]) == (
        "support@northwind.example", "people.csv: 3 done, 1 unchanged, 3 with an error.",
    )  # fmt: skip

    Customer.objects.filter(pk=piper.pk).update(city="Palo Alto")
    page = press(client, made, "undo")
    assert made.state == "undone"
    assert "Changed since: city." in page
    acme.refresh_from_db()
    assert (acme.display_name, acme.tags) == ("Acme Robotics", [])
    assert set(
        Customer.objects.of(scene.vendor).filter(name__in=["piper", "=danger"]).values_list("name", flat=True)
    ) == {"piper"}


def test_the_errors_come_down_and_go_up_again_mended(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    upload(client, FILE)
    address = reverse("portal:import_errors", args=[Import.objects.get().uuid])
    text = b"".join(client.get(address).streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["line"] for row in rows] == ["5", "6", "7"]
    assert "email" in rows[0]["reason"]
    upload(client, text.replace("not an address", "bad@example.com"))
    again = Import.objects.order_by("-pk")[0]
    assert fates(again) == {2: "create", 3: "error", 4: "create"}


def test_an_export_changes_nothing_when_it_comes_back(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    Customer.objects.of(scene.vendor).filter(name="acme").update(display_name="=cmd()", tags=["a", "b"])
    response = client.post(reverse("portal:export", args=["customers"]))
    upload(client, b"".join(response.streaming_content))  # type: ignore[attr-defined]
    assert set(fates(Import.objects.get()).values()) == {"unchanged"}


def test_a_worker_that_dies_does_nothing_twice(scene: Scene, signed_in: SignedIn) -> None:
    names = [f"n{place}" for place in range(8)]
    with mock.patch("billing_portal.portal.imports.go_on_with_imports.delay"):
        upload(signed_in(), "name\n" + "\n".join(names))
        made = Import.objects.get()
        while running.step(made, real_now=timezone.now()):
            pass
        press(signed_in(), made, "apply")
    real, calls = customer_rows.apply, [0]

    def dies(row: ImportRow, of: Import, **moment: Any) -> None:
        calls[0] += 1
        real(row, of, **moment)
        if calls[0] == 4:
            raise KeyboardInterrupt

    with mock.patch.object(customer_rows, "apply", dies), pytest.raises(KeyboardInterrupt):
        running.step(made, real_now=timezone.now())
    assert Customer.objects.of(scene.vendor).filter(name__in=names).count() == 3
    assert made.rows.filter(outcome="done").count() == 3
    go_on_with_imports()
    made.refresh_from_db()
    assert made.state == "applied"
    assert Customer.objects.of(scene.vendor).filter(name__in=names).count() == 8
    assert Event.objects.filter(kind="customer.new", payload__customer_name__in=names).count() == 8
    assert Event.objects.filter(kind="import.applied").count() == 1


def test_who_was_used_since_is_not_deleted(scene: Scene, signed_in: SignedIn) -> None:
    client = signed_in()
    upload(client, "name\nfresh\n")
    made = Import.objects.get()
    press(client, made, "apply")
    meter = scene.plan.metered_components.get().meter
    MeasurementFactory(vendor=scene.vendor, customer=Customer.objects.get(name="fresh"), meter=meter)
    assert "It has usage by now." in press(client, made, "undo")
    assert Customer.objects.filter(name="fresh").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("display_name\nX\n", "There has to be: name."),
        ("name,colour\nx,red\n", "There is no column &#x27;colour&#x27;"),
        ("name,email\nx\n", "Line 2 has 1 cells"),
        ("name,name\nx,x\n", "Two columns have the same name"),
        ("name\n", "The file has no rows"),
        ("name\n\xe9".encode("latin-1"), "another encoding"),
        (b"name\n" + b"x" * MOST_BYTES, "At most 5 MB"),
        ("name\n" + "".join(f"n{n}\n" for n in range(20_001)), "At most 20,000 rows"),
        (b"name\nx\x00y\n", "code zero"),
        ('name\n"x\n', "not proper CSV"),
    ],
)
def test_files_that_make_no_sense(scene: Scene, signed_in: SignedIn, content: str | bytes, said: str) -> None:
    assert said in upload(signed_in(), content).content.decode()
    assert not Import.objects.exists()


def test_semicolons_between_cells(scene: Scene, signed_in: SignedIn) -> None:
    upload(signed_in(), "name;display_name\nx;Ex, the first\n")
    assert Import.objects.get().rows.get().given == {"name": "x", "display_name": "Ex, the first"}


def test_roles_and_vendors(scene: Scene, signed_in: SignedIn) -> None:
    assert upload(signed_in(Role.READ_ONLY), FILE).status_code == 403
    assert upload(signed_in(Role.SUPPORT), FILE, "price_list", component="growth/0").status_code == 403
    assert not Import.objects.exists()
    upload(signed_in(), FILE)
    made = Import.objects.get()
    move = reverse("portal:move_import", args=[made.uuid, "apply"])
    assert signed_in(Role.READ_ONLY).post(move).status_code == 403
    assert signed_in().get(move).status_code == 405
    assert signed_in().post(reverse("portal:move_import", args=[made.uuid, "burn"])).status_code == 404
    assert "is checked" in press(signed_in(), made, "undo")


def listed(scene: Scene) -> PricePlan:
    meter = MeterFactory(vendor=scene.vendor, name="storage", primary_labels=["region"])
    MeteredComponentFactory(price_plan=scene.plan, meter=meter, position=1)
    return scene.plan


def rows_of(version: int) -> dict[str, str]:
    component = MeteredComponent.objects.get(price_plan__name="growth", price_plan__version=version, position=1)
    return {row["labels"].get("region", ""): row["prices"][0]["price"] for row in component.price_scheme.price_list}


def test_a_price_list(scene: Scene, signed_in: SignedIn) -> None:
    listed(scene)
    client = signed_in(Role.BILLING)
    upload(client, "region,prices\neu,price=900\nus,price=800\n", "price_list", component="growth/1")
    first = Import.objects.get()
    assert fates(first) == {2: "create", 3: "create"}
    press(client, first, "apply")
    assert rows_of(2) == {"eu": "900", "us": "800"}

    text = "region,prices\neu,price=950\nus,price=800\nasia,price=dear\nasia,price=700\neu,price=1\n"
    upload(client, text, "price_list", component="growth/1")
    second = Import.objects.order_by("-pk")[0]
    assert fates(second) == {2: "update", 3: "unchanged", 4: "error", 5: "create", 6: "error"}
    press(client, second, "apply")
    assert rows_of(3) == {"eu": "950", "us": "800", "asia": "700"}
    assert "was changed since: its newest version is 3" in press(client, first, "undo")
    assert first.state == "applied"
    press(client, second, "undo")
    assert second.state == "undone"
    assert rows_of(4) == {"eu": "900", "us": "800"}
    assert Event.objects.filter(kind__startswith="import.").count() == 3
