"""A PKCS#11 token (HSM, smart card, SoftHSM): one session per process and token, for one thread at a time.

The library is told nothing of threads (python-pkcs11 initialises it without arguments), so one lock stands before it.
A forked child must initialise it anew (PKCS#11 Usage Guide 2.40, 2.5.2, "Applications and processes"); its parent's
session is worth nothing to it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import pkcs11
from pkcs11 import exceptions as wrong

from msp.key_services.names import Pkcs11Key
from msp.key_services.purpose import KeyServiceTrouble, Purpose

Found = TypeVar("Found")

WORN = (
    wrong.SessionHandleInvalid,
    wrong.SessionClosed,
    wrong.UserNotLoggedIn,
    wrong.DeviceError,
    wrong.DeviceRemoved,
    wrong.TokenNotPresent,
    wrong.KeyHandleInvalid,
    wrong.ObjectHandleInvalid,
    wrong.GeneralError,
)
"""After these the same may well succeed in a new session: the token was away for a moment, or restarted."""
PIN_TROUBLE = (wrong.PinIncorrect, wrong.PinInvalid, wrong.PinLenRange, wrong.PinExpired, wrong.PinLocked)


class _Library:
    """One vendor's library in this process, and the sessions opened by it."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._initialised_by = 0
        self._forget_parent()
        os.register_at_fork(after_in_child=self._forget_parent)

    def _forget_parent(self) -> None:
        # A lock that another thread held in the parent would never be released here.
        self._lock = threading.RLock()
        self._sessions: dict[str, pkcs11.Session] = {}
        self._refused_pins: dict[str, bytes] = {}

    def use(self, token: str, pin: Callable[[], str], act: Callable[[pkcs11.Session], Found]) -> Found:
        with self._lock:
            try:
                return act(self._session(token, pin))
            except WORN:
                self._sessions.pop(token, None)
                return act(self._session(token, pin))

    def _session(self, token: str, pin: Callable[[], str]) -> pkcs11.Session:
        if token not in self._sessions:
            self._sessions[token] = self._opened(token, pin())
        return self._sessions[token]

    def _opened(self, token: str, pin: str) -> pkcs11.Session:
        library = pkcs11.lib(self._path)
        if self._initialised_by not in (0, os.getpid()):
            library.reinitialize()
        self._initialised_by = os.getpid()
        # A token locks its PIN after a few wrong tries, so each wrong one is tried once.
        tried = hashlib.sha256(pin.encode()).digest()
        if self._refused_pins.get(token) == tried:
            raise wrong.PinIncorrect
        found = library.get_token(token_label=token)
        try:
            return found.open(rw=True, user_pin=pin)
        except wrong.UserAlreadyLoggedIn:
            # The login belongs to the process, not to the session (PKCS#11, "Login").
            return found.open(rw=True)
        except PIN_TROUBLE:
            self._refused_pins[token] = tried
            raise


@cache
def _library(path: str) -> _Library:
    return _Library(path)


class Pkcs11Token:
    """The keys under one label on one token."""

    def __init__(self, name: Pkcs11Key, purpose: Purpose) -> None:
        self.name = name
        self.purpose = purpose

    def describe(self) -> str:
        return f"key {self.name.object} of the PKCS#11 token {self.name.token}"

    def use(self, act: Callable[[pkcs11.Session], Found]) -> Found:
        """What `act` makes of a session that is logged in; it may be called twice. Raises KeyServiceTrouble."""
        try:
            return _library(self.name.module).use(self.name.token, self.pin, act)
        except pkcs11.PKCS11Error as trouble:
            raise self._said(trouble) from None

    def labelled(self, session: pkcs11.Session, kind: pkcs11.ObjectClass, key_type: pkcs11.KeyType) -> list[Any]:
        """The keys of one kind under the object's label, in no order."""
        attributes = {
            pkcs11.Attribute.CLASS: kind,
            pkcs11.Attribute.KEY_TYPE: key_type,
            pkcs11.Attribute.LABEL: self.name.object,
        }
        return list(session.get_objects(attributes))

    def refused(self, why: str) -> KeyServiceTrouble:
        return self.purpose.refused(self.describe(), why)

    def pin(self) -> str:
        """Raises KeyServiceTrouble when the file holds none."""
        return self.purpose.secret_in(self.name.pin_file, self.purpose.setting)

    def _said(self, trouble: pkcs11.PKCS11Error) -> KeyServiceTrouble:
        if isinstance(trouble, wrong.NoSuchToken):
            return self.refused(
                f"the library {self.name.module} shows no such token. Attach it, or correct {self.purpose.setting}"
            )
        if isinstance(trouble, wrong.MultipleTokensReturned):
            return self.refused("there are several tokens of that name. Give each its own")
        if isinstance(trouble, wrong.PinLocked):
            return self.refused("its PIN is locked. Unlock it with the security officer's PIN")
        if isinstance(trouble, PIN_TROUBLE):
            return self.refused(f"it does not take the PIN in {self.name.pin_file}. Put the right one there")
        if isinstance(trouble, WORN):
            return self.purpose.silent(self.describe(), f"the token does not answer ({type(trouble).__name__})")
        if type(trouble) is pkcs11.PKCS11Error:
            return self.refused(f"the library {self.name.module} cannot be loaded. Correct {self.purpose.setting}")
        return self.refused(
            f"the token says {type(trouble).__name__}. Check that it has this kind of key and may use it"
        )
