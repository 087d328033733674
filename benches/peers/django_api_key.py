"""djangorestframework-api-key, called in this process as its permission class calls it."""

from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command

from harness import Peer, run


def connect(path: Path, synchronous: str) -> Peer:
    pragmas = f"PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous}"
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": {"init_command": pragmas}}
    settings.configure(DATABASES={"default": database}, INSTALLED_APPS=["rest_framework_api_key"])
    django.setup()
    call_command("migrate", verbosity=0)
    from rest_framework_api_key.models import APIKey  # Models need the settings.

    return lambda: APIKey.objects.create_key(name="bench")[1], APIKey.objects.is_valid


run(connect)
