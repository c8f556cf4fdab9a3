"""Every column in which an envelope lies: the vault knows no apps, and a turnover must find them all."""

from __future__ import annotations

from msp.access.models import TotpDevice
from msp.vault.models import KeptSecret
from msp.vault.reseal import Sealed
from technicians.models import ImportUpload, KeptCode
from tenants.models import Registration, SecretVersion, Step

SEALED = (
    Sealed(SecretVersion, needs=("secret__account",)),
    Sealed(TotpDevice, needs=("user",)),
    Sealed(ImportUpload, batch=2),  # whole files, of some megabytes
    Sealed(KeptSecret),
    Sealed(Registration, needs=("account",)),
    Sealed(KeptCode, needs=("account",)),
    Sealed(Step, needs=("target__account",)),
)
