"""The studio's settings over a home of their own, which every process that a test starts shares."""

import os
import tempfile
from pathlib import Path

HOME = Path(os.environ.setdefault("STUDIO_HOME", tempfile.mkdtemp(prefix="studio-test-")))
worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if worker and HOME.name != worker:  # several test at once: each in a home within that one, which what it starts is told of
    HOME = HOME / worker
    HOME.mkdir(mode=0o700, exist_ok=True)
    os.environ["STUDIO_HOME"] = str(HOME)
os.environ.setdefault("STUDIO_SERVE_SECRET", "for the tests alone")
os.environ.setdefault("STUDIO_HEARTBEAT_STALE", "2")
os.environ.setdefault("STUDIO_STOP_GRACE", "10")

from dslm_studio.settings import *  # noqa: E402, F403

# A file, not memory: supervisors and workers that a test starts are processes of their own
DATABASES["default"]["TEST"] = {"NAME": str(HOME / "test.sqlite3")}  # noqa: F405
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
WHITENOISE_USE_FINDERS = False  # it would read every file again for each client of a test
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
