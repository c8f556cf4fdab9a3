"""Does the root key open what is sealed in this database? Asked before anything is started that could write."""

from __future__ import annotations

import sys

from django.core.management import get_commands
from django.db import DatabaseError, connection

from msp.errors import BadInput, KeyTrouble
from msp.ops.home import say
from msp.vault.database import Vault
from msp.vault.keepers.chosen import chosen_keeper

OURS = ("msp.", "tenants", "technicians")
WITH_ANY_ROOT_KEY = {"doctor", "recovery_kit"}
"""They say what is wrong with it, or bring it back."""


def trouble_with_root_key() -> str:
    """Why nothing may be written, in one sentence for the operator; "" when all is well.

    A database that does not answer, or is still empty, holds nothing that could be spoiled.
    """
    try:
        Vault(chosen_keeper()).probe_root_key()
    except (KeyTrouble, BadInput) as wrong:
        return str(wrong)
    except DatabaseError:
        return ""
    finally:
        if not connection.in_atomic_block:
            connection.close()
    return ""


def trouble_for(command: str) -> str:
    """The same, for a management command: Django's own ones know nothing of secrets."""
    app = get_commands().get(command, "")
    of_ours = isinstance(app, str) and app.startswith(OURS)
    return trouble_with_root_key() if of_ours and command not in WITH_ANY_ROOT_KEY else ""


def stop_on_trouble() -> None:
    """Ends this process, before it serves anybody, with the sentence on standard error. Raises SystemExit."""
    if trouble := trouble_with_root_key():
        say(trouble)
        sys.exit(1)
