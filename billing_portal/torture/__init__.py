"""A whole installation under random faults, its books audited afterwards. ``manage.py torture``; for development."""
