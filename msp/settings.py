"""Django's settings: composition only; every value that an installation may choose comes from `msp.env`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from msp import env
from msp.web.fingerprint import fingerprint

BASE_DIR = env.ROOT
LATCHKEY_HOME = env.HOME

DEBUG = False
DEFAULT_EXCEPTION_REPORTER = "msp.web.crash.ReportWithoutValues"
SECRET_KEY = env.web_secret()
ALLOWED_HOSTS = env.names("LATCHKEY_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.names("LATCHKEY_ORIGINS", [])
BEHIND_TLS = env.switch("LATCHKEY_BEHIND_TLS", False)

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_otp",
    "axes",
    "csp",
    "django_htmx",
    "msp.vault",
    "msp.ledger",
    "msp.access",
    "msp.web",
    "msp.ops",
    "tenants",
    "technicians",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "msp.access.middleware.SecondFactorRequired",
    "msp.web.middleware.ReadersTimeZone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "msp.web.middleware.NeverStored",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "msp.urls"
WSGI_APPLICATION = "msp.wsgi.application"

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
                "msp.web.context.page",
            ],
        },
    }
]

DATABASES = {"default": env.database()}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "technicians.Technician"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "access:sign_in"
LOGIN_REDIRECT_URL = "web:dashboard"
LOGOUT_REDIRECT_URL = "access:sign_in"

AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "access/locked_out.html"
AXES_USERNAME_CALLABLE = "msp.access.guessing.name_of"
AXES_VERBOSE = False
# The ledger records sign-ins; axes would keep the address of a one-time link besides.
AXES_DISABLE_ACCESS_LOG = True

SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 31536000 if BEHIND_TLS else 0
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}

# E-mail addresses are unique whatever their case: a database constraint on lower(email), which the check cannot see.
SILENCED_SYSTEM_CHECKS = ["auth.W004"]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "templates" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# WhiteNoise serves the files where they are installed. Their address changes when one of them does, so browsers
# keep them for ever.
STATIC_URL = f"static/{fingerprint()}/"
# Of the package that carries Tabler only the compiled files are served: its own app and its other files stay out.
STATICFILES_DIRS = [("tabler", env.package_directory("jazzy_tabler") / "static" / "vendor" / "tabler")]
STATIC_ROOT = Path(env.text("LATCHKEY_STATIC") or LATCHKEY_HOME / "static")
WHITENOISE_USE_FINDERS = True
WHITENOISE_IMMUTABLE_FILE_TEST = "."
# An uploaded list may hold passwords: it stays in memory and is never written to a temporary file.
FILE_UPLOAD_HANDLERS = ["msp.web.uploads.InMemoryOnly"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}

CELERY_BROKER_URL = env.REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A message that a killed worker held comes back after this many seconds (kombu's default is an hour).
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 120,
    "unacked_restore_interval": 10,
    "socket_timeout": 10,
    "socket_connect_timeout": 2,
}
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "tenants.tasks.sweep", "schedule": float(env.number("LATCHKEY_SWEEP_SECONDS", 5))},
    "change_due_passwords": {"task": "tenants.tasks.change_due_passwords", "schedule": 60.0},
    "look_for_ended_assignments": {"task": "technicians.tasks.look_for_ended_assignments", "schedule": 60.0},
    "end_overdue_check_outs": {"task": "technicians.tasks.end_overdue_check_outs", "schedule": 60.0},
    "empty_stale_codes": {"task": "technicians.tasks.empty_stale_codes", "schedule": 60.0},
    "read_due_accounts": {"task": "tenants.tasks.read_due_accounts", "schedule": 60.0},
    "expire_enrolments": {"task": "technicians.tasks.expire_enrolments", "schedule": 30.0},
    "rehearse": {"task": "technicians.tasks.rehearse", "schedule": 60.0},
    "start_due_departures": {"task": "technicians.tasks.start_due_departures", "schedule": 30.0},
    "sweep_tokens": {"task": "tenants.tasks.sweep_tokens", "schedule": 5 * 60.0},
    "tidy": {"task": "technicians.tasks.tidy", "schedule": 15 * 60.0},
    "mail_notices": {"task": "technicians.tasks.mail_notices", "schedule": 60.0},
    "mind_take_overs": {"task": "technicians.tasks.mind_take_overs", "schedule": 60.0},
    "watch_runs": {"task": "tenants.tasks.watch_runs", "schedule": 60.0},
    "end_waivers": {"task": "tenants.tasks.end_waivers", "schedule": 15 * 60.0},
    "send_deliveries": {"task": "technicians.tasks.send_deliveries", "schedule": 60.0},
    "remind_of_take_overs": {"task": "technicians.tasks.remind_of_take_overs", "schedule": 60 * 60.0},
}

# The app's own credential at Microsoft, and where Microsoft is.
MICROSOFT: dict[str, Any] = {
    "client_id": env.text("LATCHKEY_CLIENT_ID"),
    "client_certificate": env.text("LATCHKEY_CLIENT_CERTIFICATE"),
    "client_secret": env.text("LATCHKEY_CLIENT_SECRET"),
    "client_key": env.text("LATCHKEY_CLIENT_KEY"),
    "client_key_token_file": env.text("LATCHKEY_CLIENT_KEY_TOKEN_FILE"),
    "client_key_ca_bundle": env.text("LATCHKEY_CLIENT_KEY_CA_BUNDLE"),
    "login_url": env.text("LATCHKEY_LOGIN_URL"),
    "graph_url": env.text("LATCHKEY_GRAPH_URL"),
    "ca_bundle": env.text("LATCHKEY_CA_BUNDLE"),
    "https_proxy": env.text("LATCHKEY_HTTPS_PROXY"),
    "timeout_seconds": env.number("LATCHKEY_GRAPH_TIMEOUT_SECONDS", 65),
    "sign_in_probe": env.switch("LATCHKEY_SIGN_IN_PROBE", False),
    "method_calls_per_10_s": env.number("LATCHKEY_METHOD_CALLS_PER_10_S", 5),
}
# The reseller's own tenant at Microsoft; empty for one that does not come by delegated administration.
PARTNER_TENANT = env.text("LATCHKEY_PARTNER_TENANT")
KEY_DIRECTORY = LATCHKEY_HOME / "keys"
# Who keeps the root key, and what it takes to reach it (docs/keys.md).
KEYS: dict[str, Any] = {
    "named": env.key_keeper(),
    "token_file": env.text("LATCHKEY_KEYS_TOKEN_FILE"),
    "ca_bundle": env.text("LATCHKEY_KEYS_CA_BUNDLE"),
    "root_key": env.root_key,
    "older_root_keys": env.older_root_keys,
}

# Mails say that there is a new password, never the password. Without a server people are told in Latchkey only.
MAIL_FROM = env.mail_from()
MAIL_SERVER = env.mail_server
# Whether a webhook may lead into a private network, or to this machine; else it is https to a public address.
WEBHOOKS_INSIDE = env.switch("LATCHKEY_WEBHOOKS_INSIDE", False)

LEASE_SECONDS = env.number("LATCHKEY_LEASE_SECONDS", 180)
# How old the reading of an account may become before the clock has it read again; 0: never by the clock.
READ_EVERY = dt.timedelta(hours=env.number("LATCHKEY_READ_EVERY_HOURS", 6))
SECOND_LOOK_MINUTES = env.number("LATCHKEY_SECOND_LOOK_MINUTES", 65)
FRESH_FACTOR_MINUTES = env.number("LATCHKEY_FRESH_FACTOR_MINUTES", 10)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"tokens_withheld": {"()": "msp.access.withheld.TokensWithheld"}},
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {
        "standard_error": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["tokens_withheld"]}
    },
    "root": {"handlers": ["standard_error"], "level": env.text("LATCHKEY_LOG_LEVEL", "INFO")},
    "loggers": {
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "msal": {"level": "WARNING"},
        "axes": {"level": "ERROR"},
        # Here too, so that no other handler of this logger sees the token either.
        "django.request": {"filters": ["tokens_withheld"]},
    },
}

CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": env.cache_url()}}
