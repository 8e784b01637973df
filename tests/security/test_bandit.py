"""bandit, beside ruff's own rules of the same origin: whatever it finds is mended, or stands here with its reason."""

from __future__ import annotations

import json
import subprocess
import sys

from billing_portal.machine.environment import PROJECT

ROOMS = ("billing_portal", "customers", "invoicing", "payments", "manage.py")

# Not looked for, and why.
LEFT_OUT = {
    "B101": "Assertions tell the type checker what holds; nothing is decided by them. (Nobody runs this with -O.)",
    "B404": "That a module can start programs is no fault; how it does is looked at (B602, B605, ruff's S603).",
    "B603": "Programs are started without a shell; ruff's S603 stands at each place with its reason.",
}
OWN_WORDS = "Put together from constants of ours and placeholders; values are bound by the driver."
NO_SECRET = "The name of a field, or its emptiness; no secret."
CHANCE = "Chance, not secrecy: a seeded run can be repeated."
ACCEPTED = {
    ("billing_portal/api/examples.py", "B105"): "Made up for the documentation.",
    ("billing_portal/demo/usage.py", "B311"): CHANCE,
    ("billing_portal/doctor/stripe.py", "B106"): NO_SECRET,
    ("billing_portal/machine/installation.py", "B310"): "Our own address on this machine.",
    ("billing_portal/metrics.py", "B608"): OWN_WORDS,
    ("billing_portal/serving.py", "B108"): "The container's memory, where gunicorn makes files of its own.",
    ("billing_portal/settings/test.py", "B105"): "The tests' key, which opens nothing.",
    ("billing_portal/torture/receiver.py", "B311"): CHANCE,
    ("billing_portal/torture/run.py", "B311"): CHANCE,
    ("billing_portal/torture/stage.py", "B607"): "A development tool, run as root on purpose, mounts a small disk.",
    ("billing_portal/torture/tormentor.py", "B311"): CHANCE,
    ("invoicing/invoices/charging.py", "B105"): NO_SECRET,
    ("invoicing/invoices/lifecycle.py", "B105"): NO_SECRET,
    ("invoicing/invoices/recording.py", "B105"): NO_SECRET,
    ("invoicing/usage/dropping.py", "B608"): OWN_WORDS,
    ("invoicing/usage/statements.py", "B608"): OWN_WORDS,
    ("invoicing/usage/whole_days.py", "B608"): OWN_WORDS,
    ("invoicing/usage/writing.py", "B608"): OWN_WORDS,
    ("payments/management/commands/stripe_webhook_endpoint.py", "B106"): NO_SECRET,
    ("payments/sandbox/consent.py", "B703"): "A stylesheet of ours; what Stripe's page shows of others is escaped.",
    ("payments/sandbox/oauth.py", "B105"): "The word of the OAuth standard.",
    ("payments/sandbox/webhook_faults.py", "B311"): CHANCE,
    ("payments/stripe/api/shapes.py", "B105"): NO_SECRET,
    ("payments/stripe/api/views.py", "B105"): NO_SECRET,
    ("payments/stripe/endpoints.py", "B106"): NO_SECRET,
    ("payments/stripe/inbox.py", "B608"): OWN_WORDS,
    ("payments/stripe/secrets.py", "B106"): NO_SECRET,
    ("payments/stripe/secrets.py", "B608"): OWN_WORDS,
}


def test_bandit_finds_nothing_that_is_not_accounted_for() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "bandit", "-q", "-r", *ROOMS, "-s", ",".join(LEFT_OUT), "-f", "json"],
        cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    report = json.loads(answer.stdout)
    assert report["errors"] == []
    found: dict[tuple[str, str], str] = {}
    for one in report["results"]:
        found[one["filename"].removeprefix("./"), one["test_id"]] = f"line {one['line_number']}: {one['issue_text']}"
    unexplained = {place: said for place, said in found.items() if place not in ACCEPTED}
    assert unexplained == {}
    assert len(found) >= len(ACCEPTED) // 2, "bandit has hardly looked at anything"
