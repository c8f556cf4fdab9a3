"""Microsoft's published contract and documented answers, which lie beside the repository and not in it."""

from __future__ import annotations

import functools
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

REFERENCE = Path(__file__).resolve().parents[3] / "shared" / "reference"
OPENAPI_FILES = {
    "v1.0": ("v1.0.yaml", "v1.0-platform-credential.yaml"),
    "beta": ("beta.yaml", "beta-hardware-oath.yaml"),
}
CURRENT_TYPES = "v1.0-current-types.csdl.xml"


def reference_needed() -> None:
    """Skip the calling test where the reference is absent; fail it in CI, where it must be there."""
    if REFERENCE.is_dir():
        return
    reason = "needs Microsoft's published contract in ../shared/reference"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@functools.cache
def sample(name: str) -> dict[str, Any]:
    """One documented answer of Microsoft."""
    found: dict[str, Any] = json.loads((REFERENCE / "graph-samples" / f"{name}.json").read_text())
    return found


@functools.cache
def permissions() -> dict[str, dict[str, Any]]:
    """Plain path -> method -> what permissions.json says."""
    paths = json.loads((REFERENCE / "graph-openapi" / "permissions.json").read_text())["paths"]
    return {plain(path): found for path, found in paths.items()}


@functools.cache
def operations(version: str) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Plain path -> (its operations by method, the schemas of its file) of one version of Graph."""
    found: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for name in OPENAPI_FILES[version]:
        # The C loader reads these files ten times faster, and is as safe.
        document = yaml.load(
            (REFERENCE / "graph-openapi" / name).read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        )
        for path, methods in document["paths"].items():
            known, _ = found.get(plain(path), ({}, {}))
            found[plain(path)] = ({**known, **methods}, document["components"]["schemas"])
    return found


@functools.cache
def current_types() -> str:
    """The v1.0 types of today (CSDL), newer than the OpenAPI files."""
    return (REFERENCE / "graph-openapi" / CURRENT_TYPES).read_text()


def plain(path: str) -> str:
    """A path with `{}` for every parameter, in lower case and without the namespace of bound actions."""
    return re.sub(r"\{[^}]*\}", "{}", path).replace("microsoft.graph.", "").lower()
