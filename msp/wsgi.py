"""What the web server calls."""

from __future__ import annotations

import importlib
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "msp.settings")

application = get_wsgi_application()

# By name: the models need Django to be set up first.
importlib.import_module("msp.ops.root_key").stop_on_trouble()
