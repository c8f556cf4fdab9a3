"""The kinds of authentication method: their type, collection, id and rules at Microsoft Graph.

Sources: Microsoft's v1.0 CSDL and OpenAPI files, the reference pages of each typed collection, permissions.json.
"""

from __future__ import annotations

from dataclasses import dataclass

PASSWORD_METHOD_ID = "28c10230-6103-485e-b985-444c60001490"
PHONE_IDS = {
    "mobile": "3179e48a-750b-4051-897c-87b9720928f7",
    "alternateMobile": "b6332ec1-7057-4abe-9331-3d72feddfe41",
    "office": "e37fc753-ff3b-4958-9484-eaa9425c82bc",
}
"""The same for every user of every tenant (Graph reference, phoneAuthenticationMethod)."""

SLOTS = 5
"""Authenticator apps, software and hardware OATH tokens of one user together (entra-docs, OATH tokens)."""


@dataclass(frozen=True)
class Kind:
    """One kind of method.

    `versions`: where its typed collection exists. `listed_in`: where the common list shows it.
    `preference`: its word in signInPreferences, "" when it cannot be the default second factor.
    """

    name: str
    odata_type: str
    collection: str
    permission: str
    versions: tuple[str, ...] = ("v1.0", "beta")
    listed_in: tuple[str, ...] = ("v1.0", "beta")
    deletable: bool = True
    singleton: bool = False
    takes_a_slot: bool = False
    preference: str = ""


_BETA = ("beta",)

KINDS = {
    kind.name: kind
    for kind in (
        Kind("password", "passwordAuthenticationMethod", "passwordMethods", "Password", deletable=False),
        Kind("phone", "phoneAuthenticationMethod", "phoneMethods", "Phone", preference="sms"),
        Kind("email", "emailAuthenticationMethod", "emailMethods", "Email"),
        Kind("fido2", "fido2AuthenticationMethod", "fido2Methods", "Passkey"),
        Kind(
            "microsoft_authenticator",
            "microsoftAuthenticatorAuthenticationMethod",
            "microsoftAuthenticatorMethods",
            "MicrosoftAuthApp",
            takes_a_slot=True,
            preference="push",
        ),
        Kind(
            "passwordless_authenticator",
            "passwordlessMicrosoftAuthenticatorAuthenticationMethod",
            "passwordlessMicrosoftAuthenticatorMethods",
            "MicrosoftAuthApp",
            versions=_BETA,
            listed_in=_BETA,
        ),
        Kind(
            "software_oath",
            "softwareOathAuthenticationMethod",
            "softwareOathMethods",
            "SoftwareOATH",
            takes_a_slot=True,
            preference="oath",
        ),
        Kind(
            "hardware_oath",
            "hardwareOathAuthenticationMethod",
            "hardwareOathMethods",
            "HardwareOATH",
            versions=_BETA,
            listed_in=_BETA,
            takes_a_slot=True,
            preference="oath",
        ),
        Kind("temporary_access_pass", "temporaryAccessPassAuthenticationMethod", "temporaryAccessPassMethods", "TAP"),
        Kind(
            "windows_hello",
            "windowsHelloForBusinessAuthenticationMethod",
            "windowsHelloForBusinessMethods",
            "WindowsHello",
        ),
        Kind(
            "platform_credential",
            "platformCredentialAuthenticationMethod",
            "platformCredentialMethods",
            "PlatformCred",
        ),
        Kind("external", "externalAuthenticationMethod", "externalAuthenticationMethods", "External"),
        Kind(
            "qr_code_pin",
            "qrCodePinAuthenticationMethod",
            "qrCodePinMethod",
            "QR",
            versions=_BETA,
            listed_in=_BETA,
            singleton=True,
        ),
        # Not a kind of today: what the list looks like on the day Microsoft adds one.
        Kind("future", "someFutureAuthenticationMethod", "", "", versions=(), deletable=False),
    )
}

COLLECTIONS = {kind.collection.lower(): kind for kind in KINDS.values() if kind.collection}

PHONE_PREFERENCES = {
    "mobile": ("sms", "voiceMobile"),
    "alternateMobile": ("voiceAlternateMobile",),
    "office": ("voiceOffice",),
}


def preferences_of(kind: str, phone_type: str = "") -> tuple[str, ...]:
    """The words of userPreferredMethodForSecondaryAuthentication that one method can serve."""
    if kind == "phone":
        return PHONE_PREFERENCES[phone_type]
    word = KINDS[kind].preference
    return (word,) if word else ()


def refused_by_policy(method_type: str) -> str:
    """Microsoft's sentence for a method that the tenant's policy does not allow (seen for TemporaryAccessPass).

    Assumption: it is the same for every type.
    """
    return (
        "Converged UserCredentialPolicy does not allow creating or updating this authentication method. "
        f"AuthMethodType [{method_type}]."
    )
