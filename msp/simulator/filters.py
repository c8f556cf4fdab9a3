"""A part of OData's $filter and $search, read into a test of one object's properties.

$filter: eq and ne with a string, true, false or null; startsWith and endsWith; and, or, not, parentheses. Strings
compare in any case of letters, as the directory's do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

Facts = Mapping[str, Any]
Test = Callable[[Facts], bool]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<function>startswith|endswith)\(\s*(?P<of>\w+)\s*,\s*'(?P<start>(?:[^']|'')*)'\s*\)
      | (?P<name>\w+)\s+(?P<operator>eq|ne)\s+(?:'(?P<text>(?:[^']|'')*)'|(?P<word>true|false|null))(?![\w'])
      | (?P<joint>and|or|not)\b
      | (?P<bracket>[()])
    )\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_CLAUSE = re.compile(r'\s*"(\w+):([^"]*)"\s*')
_WORDS = {"true": True, "false": False, "null": None}


class Unreadable(Exception):
    """Not in the part of OData that is understood here, or about a property that cannot be asked for."""


@dataclass(frozen=True)
class Query:
    """`test` says whether an object is meant; `advanced` names the operators that need ConsistencyLevel: eventual."""

    test: Test
    advanced: tuple[str, ...] = ()


def read(text: str, names: Collection[str]) -> Query:
    """A $filter over these properties. Raises Unreadable."""
    reader = _Reader(text, names)
    test = reader.either()
    if reader.peek() is not None:
        raise Unreadable(text)
    return Query(test, tuple(reader.advanced))


def search(text: str, names: Collection[str]) -> Query:
    """A $search: `"displayName:ana" OR "userPrincipalName:ana"`, words that begin so. Raises Unreadable."""
    joint = "or" if re.search(r'"\s+OR\s+"', text) else "and"
    tests = [_searched(clause, names) for clause in re.split(r'(?<=")\s+(?:OR|AND)\s+(?=")', text)]
    test: Test = (lambda o: any(t(o) for t in tests)) if joint == "or" else (lambda o: all(t(o) for t in tests))
    return Query(test, ("$search",))


def _searched(clause: str, names: Collection[str]) -> Test:
    found = _CLAUSE.fullmatch(clause)
    if not found:
        raise Unreadable(clause)
    name, wanted = _known(found[1], names), found[2].lower()

    def begins(facts: Facts) -> bool:
        value = str(facts[name] or "").lower()
        return value.startswith(wanted) or any(word.startswith(wanted) for word in re.split(r"[\W_]+", value))

    return begins


def _known(name: str, names: Collection[str]) -> str:
    for known in names:
        if known.lower() == name.lower():
            return known
    raise Unreadable(name)


class _Reader:
    """Reads from left to right: `or` joins what `and` joins."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        self.names = names
        self.advanced: list[str] = []
        self._tokens: list[re.Match[str]] = []
        at = 0
        while at < len(text):
            token = _TOKEN.match(text, at)
            if not token:
                raise Unreadable(text)
            self._tokens.append(token)
            at = token.end()

    def peek(self) -> re.Match[str] | None:
        return self._tokens[0] if self._tokens else None

    def _next_is(self, word: str) -> bool:
        token = self.peek()
        if token is None or (token["joint"] or token["bracket"] or "").lower() != word:
            return False
        self._tokens.pop(0)
        return True

    def either(self) -> Test:
        tests = [self._both()]
        while self._next_is("or"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda facts: any(test(facts) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self._next_is("and"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda facts: all(test(facts) for test in tests)

    def _one(self) -> Test:
        if self._next_is("not"):
            self.advanced.append("not")
            denied = self._one()
            return lambda facts: not denied(facts)
        if self._next_is("("):
            inner = self.either()
            if not self._next_is(")"):
                raise Unreadable("a bracket stays open")
            return inner
        token = self.peek()
        if token is None or token["joint"] or token["bracket"]:
            raise Unreadable("a condition is missing")
        self._tokens.pop(0)
        return self._text_test(token) if token["function"] else self._comparison(token)

    def _text_test(self, token: re.Match[str]) -> Test:
        name, wanted = _known(token["of"], self.names), token["start"].replace("''", "'").lower()
        if token["function"].lower() == "startswith":
            return lambda facts: str(facts[name] or "").lower().startswith(wanted)
        self.advanced.append("endsWith")
        return lambda facts: str(facts[name] or "").lower().endswith(wanted)

    def _comparison(self, token: re.Match[str]) -> Test:
        name, word = _known(token["name"], self.names), token["word"]
        wanted = _WORDS[word.lower()] if word else token["text"].replace("''", "'").lower()

        def equal(facts: Facts) -> bool:
            value = facts[name]
            return bool((value.lower() if isinstance(value, str) else value) == wanted)

        if token["operator"].lower() == "ne":
            self.advanced.append("ne")
            return lambda facts: not equal(facts)
        return equal
