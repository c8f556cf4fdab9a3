"""Reads the house as source text: its modules, its calls, its templates, its addresses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from django.urls import URLPattern, URLResolver, get_resolver

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("msp", "tenants", "technicians")
TEMPLATES = ROOT / "templates"


@cache
def python_files() -> tuple[Path, ...]:
    """Every module of the product, relative to the root; migrations are generated and left out."""
    found = (p.relative_to(ROOT) for package in PACKAGES for p in sorted((ROOT / package).rglob("*.py")))
    return tuple(p for p in found if "migrations" not in p.parts)


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text(encoding="utf-8"))


def dotted(path: Path) -> str:
    """`msp/web/__init__.py` -> `msp.web`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def words_of(path: Path) -> frozenset[str]:
    """Every string constant of a module."""
    nodes = ast.walk(tree_of(path))
    return frozenset(n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str))


def calls(path: Path) -> Iterator[tuple[int, ast.Call, str]]:
    """(line, the call, its last name) of every call in a module."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield node.lineno, node, name


def managers_asked(path: Path) -> Iterator[tuple[int, str]]:
    """(line, `Model.objects.first_call`) wherever a module begins a query."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "objects":
            yield node.lineno, ast.unparse(node)


# --- templates ---------------------------------------------------------------------------------------------------

_TAG = re.compile(r"{%-?\s*(?:include|extends)\s+(?P<name>\"[^\"]+\"|'[^']+'|\S+)")
NAMED_BY_DJANGO = frozenset({"400.html", "403.html", "403_csrf.html", "404.html", "500.html"})


def templates() -> set[str]:
    return {str(p.relative_to(TEMPLATES)) for p in TEMPLATES.rglob("*.html")}


def templates_named_by_templates() -> set[str]:
    found = set()
    for path in TEMPLATES.rglob("*.html"):
        for match in _TAG.finditer(path.read_text(encoding="utf-8")):
            name = match["name"]
            if name[0] not in "\"'":
                raise AssertionError(f"{path.name} includes {name}: a variable, so nobody can say what it includes")
            found.add(name.strip("\"'"))
    return found


def templates_named_by_code() -> set[str]:
    """Literal names, and f-strings whose gaps are filled by string constants of the same module."""
    found = set()
    for path in python_files():
        words = words_of(path)
        found |= {w for w in words if re.fullmatch(r"[\w/]+\.html", w)}
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.JoinedStr):
                found |= {name for name in templates() if _could_become(node, name, words)}
    return found


def _could_become(node: ast.JoinedStr, name: str, words: frozenset[str]) -> bool:
    pattern = "".join(re.escape(str(p.value)) if isinstance(p, ast.Constant) else "(.+?)" for p in node.values)
    match = re.fullmatch(pattern, name)
    return bool(match) and pattern.endswith(r"\.html") and all(gap in words for gap in match.groups())


# --- addresses ---------------------------------------------------------------------------------------------------


class Address(NamedTuple):
    """One URL pattern: its name with namespaces ("" when it has none), its route, the names of its parameters."""

    name: str
    route: str
    parameters: tuple[str, ...]


def addresses() -> list[Address]:
    """Every address that Latchkey answers, as the resolver knows them."""
    return list(_addresses(get_resolver().url_patterns, "", ""))


def _addresses(patterns: list[URLPattern | URLResolver], space: str, route: str) -> Iterator[Address]:
    for pattern in patterns:
        here = f"{route}{pattern.pattern}"
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from _addresses(pattern.url_patterns, inner, here)
        else:
            parameters = tuple(re.findall(r"<(?:\w+:)?(\w+)>", here))
            yield Address(f"{space}{pattern.name}" if pattern.name else "", here, parameters)
