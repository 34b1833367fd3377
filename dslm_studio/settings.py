"""Settings. Everything that differs between a laptop and a cluster is a variable; the table is in README.md."""

import socket
from pathlib import Path

import dj_database_url
import plotly
from csp.constants import NONE, SELF

from dslm_studio import environment as env

BASE_DIR = Path(__file__).resolve().parent.parent
STUDIO_HOME = Path(env.text("STUDIO_HOME", str(BASE_DIR / "var"))).resolve()

SECRET_KEY = env.secret("STUDIO_SECRET_KEY", STUDIO_HOME / "secret.key")
DEBUG = env.flag("STUDIO_DEBUG")
STUDIO_URL = env.text("STUDIO_URL", "http://127.0.0.1:8000")
ALLOWED_HOSTS = env.words("STUDIO_ALLOWED_HOSTS") or ["127.0.0.1", "localhost", "[::1]"]
CSRF_TRUSTED_ORIGINS = [STUDIO_URL, *env.words("STUDIO_TRUSTED_ORIGINS")]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "csp",
    "axes",
    "django_htmx",
    "projects",
    "runs",
    "catalogue",
    "retrieval",
    "curation",
    "training",
    "evaluation",
    "planning",
    "playground",
    "dslm_studio.apps.StudioConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "dslm_studio.urls"
ASGI_APPLICATION = "dslm_studio.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "projects.context.shell",
            ],
        },
    },
]

# --- database: SQLite with one writer at a time, or PostgreSQL by DATABASE_URL ---
DATABASES = {"default": dj_database_url.config(default=f"sqlite:///{STUDIO_HOME / 'studio.sqlite3'}", conn_max_age=60)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    STUDIO_HOME.mkdir(parents=True, exist_ok=True)
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=30000;",
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- broker, channel layer, cache: one Redis ---
# Where the launcher's own Redis listens stands in studio.json while it runs
RUNNING_REDIS = env.recorded(STUDIO_HOME / "studio.json", "redis_url")
REDIS_URL = env.text("REDIS_URL") or RUNNING_REDIS or f"unix://{STUDIO_HOME / 'redis' / 'redis.sock'}"
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_DEFAULT_QUEUE = "light"  # what takes a moment and must not wait behind a run; runs name their own queue
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# While Redis is away a page must not wait for it: the row is written, and the reconciler tells the workers later
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.1,
    "interval_max": 0.1,
    "socket_connect_timeout": 2,
}
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # Redis may be away for a while; the worker waits for it
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULE = {
    "runs-reconcile": {"task": "runs.tasks.runs_reconcile", "schedule": 5.0, "options": {"expires": 10}},
    "chores-reconcile": {"task": "curation.tasks.curation_chores_reconcile", "schedule": 15.0, "options": {"expires": 30}},
}
CHANNEL_LAYERS = {"default": {"BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer", "CONFIG": {"hosts": [REDIS_URL]}}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}

# --- people ---
AUTH_USER_MODEL = "projects.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "projects:list"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "registration/locked.html"
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_FORM_FIELD = "username"  # what the form calls it; the default, the model's "email", would never match
AXES_VERBOSE = False

# --- mail: the console unless a server is named ---
EMAIL_HOST = env.text("STUDIO_MAIL_HOST")
EMAIL_PORT = env.number("STUDIO_MAIL_PORT", 587)
EMAIL_HOST_USER = env.text("STUDIO_MAIL_USER")
EMAIL_HOST_PASSWORD = env.text("STUDIO_MAIL_PASSWORD")
EMAIL_USE_TLS = env.flag("STUDIO_MAIL_TLS", True)
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if EMAIL_HOST else 'console'}.EmailBackend"
DEFAULT_FROM_EMAIL = env.text("STUDIO_MAIL_FROM", "studio@localhost")

# --- security ---
HTTPS = STUDIO_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "studio_session"
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("STUDIO_BEHIND_PROXY") else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if not HTTPS:
    # A laptop serves plain HTTP on loopback; these warnings are about HTTPS alone.
    SILENCED_SYSTEM_CHECKS = ["security.W004", "security.W008", "security.W012", "security.W016", "security.W021"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    }
}

# --- uploads ---
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 2**20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2**20
FILE_UPLOAD_TEMP_DIR = STUDIO_HOME / "uploads"
FILE_UPLOAD_TEMP_DIR.mkdir(parents=True, exist_ok=True)
UPLOAD_MAX_BYTES = env.number("STUDIO_UPLOAD_MAX_MB", 100, most=2000) * 2**20  # more the stage that reads them does not take

# --- files and static ---
STATIC_URL = "static/"
STATIC_ROOT = STUDIO_HOME / "static"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/plotly", Path(plotly.__file__).parent / "package_data"),
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": STUDIO_HOME / "files"}},
    # No hashed names: the ES modules import one another by name
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG or not (STATIC_ROOT / "css").is_dir()

# --- the studio's own ---
ARTIFACT_ROOT = STUDIO_HOME / "artifacts"
RUN_ROOT = STUDIO_HOME / "runs"
INDEX_ROOT = STUDIO_HOME / "indexes"
ARTIFACT_STORE_URL = env.text("ARTIFACT_STORE_URL")
ARTIFACT_CACHE_BYTES = env.number("STUDIO_ARTIFACT_CACHE_GB", 100) * 10**9  # of what lies in that store, on this machine
HOST_NAME = env.text("STUDIO_HOST_NAME") or socket.gethostname()  # containers get a new name at each start
VECTOR_STORE_URL = env.text("VECTOR_STORE_URL")
SERVE_URL = env.text("STUDIO_SERVE_URL", "http://127.0.0.1:8001/v1")
SERVE_SECRET = env.text("STUDIO_SERVE_SECRET")
RUN_STOP_GRACE_SECONDS = env.number("STUDIO_STOP_GRACE", 60)
RUN_HEARTBEAT_STALE_SECONDS = env.number("STUDIO_HEARTBEAT_STALE", 15)
GPU_SLOTS = env.number("STUDIO_GPU_SLOTS", 1)
PROJECT_RUNS_AT_ONCE = env.number("STUDIO_PROJECT_RUNS", 0)  # of the gpu queue; 0: as many as there are slots
CHECKPOINT_BUDGET_BYTES = env.number("STUDIO_CHECKPOINTS_GB", 50) * 10**9  # that ended runs may keep to be resumed from
DISK_RESERVE_BYTES = env.number("STUDIO_DISK_RESERVE_GB", 1) * 10**9  # that a run leaves free

# --- language, time ---
LANGUAGE_CODE = "en"
TIME_ZONE = env.text("TZ", "UTC")
USE_TZ = True
USE_I18N = False

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "openai": {"level": "WARNING"},
        "axes": {"level": "WARNING"},
        # The reconciler runs every few seconds; its every success is no news
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}
