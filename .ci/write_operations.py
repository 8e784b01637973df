"""Writes docs/api-operations.json: which operation of the API is in which state. A test compares it."""

import os
import sys
from pathlib import Path

import django

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billing_portal.settings.test")
django.setup()

from tests.contract.operation_states import BEYOND, FILE, MISSING, NOT_BUILT, SUPPORTED, in_state, written  # noqa: E402

FILE.write_text(written())
print({state: len(list(in_state(state))) for state in (SUPPORTED, NOT_BUILT, MISSING, BEYOND)})
