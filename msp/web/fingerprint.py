"""What the static files are, in a short word that their address carries: another file, another address."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path

OURS = Path(__file__).resolve().parent / "static"
CARRIERS = ("django-htmx", "django-jazzy-tabler")
"""The packages whose static files pages use."""


def fingerprint(directory: Path = OURS) -> str:
    """Of every file below `directory`, and of the versions of the packages that bring the others.

    So browsers may keep static files for ever, and no file has to be collected or renamed before a start: the
    addresses inside style sheets are relative and stay as they are.
    """
    files = sorted(path for path in directory.rglob("*") if path.is_file())
    said = [f"{f.relative_to(directory).as_posix()} {hashlib.sha256(f.read_bytes()).hexdigest()}" for f in files]
    said += [f"{package} {metadata.version(package)}" for package in CARRIERS]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:12]
