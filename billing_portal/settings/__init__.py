"""Settings: ``development`` (also under ``manage.py up``), ``test`` and ``production`` share ``base``."""
