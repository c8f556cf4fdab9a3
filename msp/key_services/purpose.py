"""What a key of a key service is used for here, and what is said when it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from msp.errors import KeyTrouble


class Why(StrEnum):
    """`SILENT` passes by itself; the others a person must mend."""

    SILENT = "silent"
    REFUSED = "refused"
    SECRET_MISSING = "token_missing"


class KeyServiceTrouble(KeyTrouble):
    """A key service did not do what was asked; its sentence is whole, and holds no secret."""

    def __init__(self, sentence: str, why: Why) -> None:
        super().__init__(sentence)
        self.why = why


@dataclass(frozen=True)
class Purpose:
    """`setting` names the key; `key` and `stands` say it to the operator: "The root key", "Nothing was changed"."""

    setting: str
    key: str
    stands: str

    @property
    def secret_setting(self) -> str:
        return f"{self.setting}_TOKEN_FILE"

    def silent(self, where: str, how: str) -> KeyServiceTrouble:
        return KeyServiceTrouble(
            f"{self.key} could not be used ({where}): {how}. {self.stands}. "
            f"Check the key keeper and {self.setting}, and try again.",
            Why.SILENT,
        )

    def refused(self, where: str, why: str) -> KeyServiceTrouble:
        """`why` ends with what to do."""
        return KeyServiceTrouble(f"{self.key} could not be used ({where}): {why}. {self.stands}.", Why.REFUSED)

    def secret_in(self, path: str, setting: str) -> str:
        """The one line of a file that holds a token, password or PIN; read at each use, so a renewed one is found."""
        try:
            secret = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            secret = ""
        if not secret.isprintable() or not secret:
            raise KeyServiceTrouble(
                f"The file {path} (setting {setting}) holds no secret of the key keeper that can be read. "
                f"{self.stands}. Put it there, readable by this service alone, and try again.",
                Why.SECRET_MISSING,
            )
        return secret
