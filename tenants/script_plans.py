"""The script that a person runs where Latchkey may not act: facts in, text out. No database, no network, no clock.

PowerShell for the modules Microsoft.Graph (names and parameters of the commands after Microsoft's reference,
docs/hands-off.md lists them with their pages). It holds object ids and no secret: whoever runs it types the passwords.

Nothing that comes from a tenant can become code: the text is ASCII, because Windows PowerShell reads a file without a
mark by the computer's own code page, and every value stands in single quotes, in which nothing is expanded.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from msp.microsoft.ports import MethodKind, Observation
from tenants.plans import (
    ACTS,
    CLOCK_DIFFERENCE,
    DID_NOT_SIGN_IN,
    StepFacts,
    StepKind,
    StepState,
    break_glass,
    is_done,
    last_way_in,
    moved,
)

REMAINING = (StepState.REFUSED, StepState.BLOCKED)
"""The states of an act that has not happened and that Latchkey will not do by itself."""
TAKEN_AT = "script_taken_at"
"""What `Step.was` remembers of an act whose script somebody took: when."""
LONGEST_COMMENT = 300
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+/-]{0,199}")
"""What an id of Microsoft's looks like. Assumption: method ids are GUIDs or base64."""


@dataclass(frozen=True)
class Command:
    """How one kind of method is removed: the command's noun after `Remove-Mg`, and its parameter for the id."""

    noun: str
    parameter: str
    beta: bool = False

    @property
    def name(self) -> str:
        return f"Remove-Mg{'Beta' if self.beta else ''}{self.noun}"


COMMANDS = {
    kind: Command(f"UserAuthentication{noun}Method", f"{noun}AuthenticationMethodId")
    for kind, noun in {
        MethodKind.SOFTWARE_OATH: "SoftwareOath",
        MethodKind.PHONE: "Phone",
        MethodKind.EMAIL: "Email",
        MethodKind.FIDO2: "Fido2",
        MethodKind.MICROSOFT_AUTHENTICATOR: "MicrosoftAuthenticator",
        MethodKind.TEMPORARY_ACCESS_PASS: "TemporaryAccessPass",
        MethodKind.WINDOWS_HELLO: "WindowsHelloForBusiness",
        MethodKind.PLATFORM_CREDENTIAL: "PlatformCredential",
    }.items()
} | {
    MethodKind.HARDWARE_OATH: Command(
        "UserAuthenticationHardwareOathMethod", "HardwareOathAuthenticationMethodId", beta=True
    )
}
SCOPES = (
    "User.Read.All",
    "User-PasswordProfile.ReadWrite.All",
    "User.RevokeSessions.All",
    "UserAuthenticationMethod.ReadWrite.All",
)
ENVIRONMENTS = {"global": "Global", "us_gov_l4": "USGov", "us_gov_l5": "USGovDoD", "china": "China"}
"""Our name of a cloud, and the name that Connect-MgGraph takes."""


@dataclass(frozen=True)
class RemainingAct:
    """One act that has not happened. `method` is (directory id, kind), `label` what people call it."""

    kind: StepKind
    status: str
    problem: str = ""
    method: tuple[str, str] | None = None
    label: str = ""
    key: str = ""
    """The id of the step, so that whoever asks finds it again."""


@dataclass(frozen=True)
class RemainingAccount:
    """One account with what remains there. `safe` is the lock-out guard's answer for its removals, asked just now.

    `undecided` says that it is not known which of several passwords signs in.
    """

    object_id: str
    user_principal_name: str
    acts: tuple[RemainingAct, ...]
    break_glass: bool = False
    synced: bool = False
    safe: bool = True
    undecided: bool = False


@dataclass(frozen=True)
class LeftOut:
    """An act that the script does not do, and why."""

    account: RemainingAccount
    act: RemainingAct
    reason: str


@dataclass(frozen=True)
class ScriptPlan:
    """What the script does, in the order in which it does it, and what it leaves out."""

    accounts: tuple[RemainingAccount, ...]
    left_out: tuple[LeftOut, ...]

    @property
    def acts(self) -> int:
        return sum(len(account.acts) for account in self.accounts)

    @property
    def passwords(self) -> int:
        return sum(act.kind == StepKind.ROTATE_PASSWORD for account in self.accounts for act in account.acts)

    @property
    def keys(self) -> list[str]:
        return [act.key for account in self.accounts for act in account.acts]


def plan_script(accounts: Iterable[RemainingAccount]) -> ScriptPlan:
    """Take what a person with a script can do, guard by guard; the order inside an account is that of its steps."""
    taken, left_out = [], []
    for account in accounts:
        acts = []
        for act in account.acts:
            if act.status not in REMAINING or act.kind not in ACTS:
                continue
            if reason := _why_left_out(account, act):
                left_out.append(LeftOut(account, act, reason))
            else:
                acts.append(act)
        if acts:
            taken.append(
                RemainingAccount(account.object_id, account.user_principal_name, tuple(acts), synced=account.synced)
            )
    return ScriptPlan(tuple(taken), tuple(left_out))


def _why_left_out(account: RemainingAccount, act: RemainingAct) -> str:
    if account.break_glass:
        return break_glass()
    if not ID.fullmatch(account.object_id):
        return _("This account was never read, so its object id is not known. Read it, then make the script again.")
    if act.kind == StepKind.ROTATE_PASSWORD:
        if account.synced:
            return _("A local directory alone can change this password: change it there.")
        if account.undecided:
            return _("It is not known yet which password of this account signs in. Settle that first.")
    if act.kind == StepKind.REMOVE_METHOD:
        directory_id, kind = act.method or ("", "")
        if MethodKind(kind) not in COMMANDS:
            return _("PowerShell has no command for this kind of method: remove it in the Entra admin center.")
        if not ID.fullmatch(directory_id):
            return _("The id of this method is not one that Microsoft gives: remove it in the Entra admin center.")
        if not account.safe:
            return last_way_in()
    return ""


@dataclass(frozen=True)
class Script:
    """The whole text, as it is shown and as it is downloaded: the digest says that both are the same."""

    text: str
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.sha256(self.text.encode("ascii")).hexdigest())


def write_script(
    accounts: Sequence[RemainingAccount], *, tenant_id: str, domain: str, cloud: str, run_id: str, about: str
) -> Script:
    """Always the same text for the same steps. Raises ValueError for an id that is none (see `plan_script`)."""
    steps = sum(len(account.acts) for account in accounts)
    beta = any(_beta(act) for account in accounts for act in account.acts)
    lines = [
        *_head(tenant_id, domain, run_id, about, steps, len(accounts)),
        *_modules(beta),
        *FUNCTIONS,
        *_connect(tenant_id, cloud),
        f"$steps = {steps}",
        "$done = 0",
        "$left = 0",
        "$at = ''",
        "try {",
    ]
    for account in accounts:
        lines += [f"    {line}" if line else "" for line in _account(account)]
    lines += [
        "}",
        "catch {",
        "    Write-Host ('STOPPED at ' + $at + ': nothing after it was done. Before it: ' + $done + ' of ' + $steps + "
        "' steps.')",
        "    throw",
        "}",
        "finally {",
        "    $null = Disconnect-MgGraph",
        "}",
        "Write-Host ('Went through all ' + $steps + ' steps; passwords left as they are: ' + $left + '.')",
        "Write-Host 'Now enter each new password in Latchkey, and say there that the script ran.'",
    ]
    return Script("\r\n".join(lines) + "\r\n")


def _head(tenant_id: str, domain: str, run_id: str, about: str, steps: int, accounts: int) -> list[str]:
    return [
        comment("Latchkey: what remains to be done by hand in one tenant"),
        comment(f"Tenant: {domain} ({tenant_id})"),
        comment(f"Run: {run_id}"),
        comment(f"Why: {about}"),
        comment(f"What: each step is named below with its reason. Steps: {steps}. Accounts: {accounts}."),
        comment("It holds no secret: it asks whoever runs it for each new password."),
        comment("It may be run again: what is done already is left as it is. It stops at the first error."),
        comment("Afterwards Latchkey reads the accounts: it believes what it sees there, and not this script."),
        "",
    ]


def _modules(beta: bool) -> list[str]:
    names = [
        "Microsoft.Graph.Authentication",
        "Microsoft.Graph.Users",
        "Microsoft.Graph.Users.Actions",
        "Microsoft.Graph.Identity.SignIns",
    ]
    if beta:
        names.append("Microsoft.Graph.Beta.Identity.SignIns")
    return [
        "#Requires -Version 5.1",
        f"#Requires -Modules {', '.join(names)}",
        "Set-StrictMode -Version 2.0",
        "$ErrorActionPreference = 'Stop'",
        "",
    ]


FUNCTIONS = """\
function Set-TypedPassword {
    param([string] $UserId, [string] $UserName)
    # The password is typed, never written into a file. Nothing typed means: leave it as it is.
    $first = Read-Host -AsSecureString -Prompt ('New password of ' + $UserName + ' (nothing: leave it)')
    if ($first.Length -eq 0) {
        $script:left++
        Write-Host ('LEFT    the password of ' + $UserName + ' as it is, because nothing was typed')
        return
    }
    $again = Read-Host -AsSecureString -Prompt 'The same once more'
    $password = [System.Net.NetworkCredential]::new('', $first).Password
    if ($password -cne [System.Net.NetworkCredential]::new('', $again).Password) {
        throw ('The two passwords typed for ' + $UserName + ' differ; this password was not changed.')
    }
    Update-MgUser -UserId $UserId -PasswordProfile @{ Password = $password; ForceChangePasswordNextSignIn = $false }
    Write-Host ('CHANGED the password of ' + $UserName)
}
""".splitlines()


def _connect(tenant_id: str, cloud: str) -> list[str]:
    scopes = ", ".join(quoted(scope) for scope in SCOPES)
    return [
        "",
        comment("Sign in to this one tenant, as a person whose role may do what follows."),
        f"Connect-MgGraph -TenantId {quoted(_id(tenant_id))} -Environment {quoted(ENVIRONMENTS[cloud])} "
        f"-Scopes {scopes} -ContextScope Process -NoWelcome",
        f"if ((Get-MgContext).TenantId -ne {quoted(_id(tenant_id))}) {{",
        "    throw 'This session is of another tenant; nothing was changed.'",
        "}",
        "",
    ]


def _account(account: RemainingAccount) -> list[str]:
    user, name = quoted(_id(account.object_id)), quoted(visible(account.user_principal_name))
    lines = [
        comment(f"Account: {account.user_principal_name}"),
        f"$at = {name}",
        comment("Is this user still there? A missing one stops the script here."),
        f"$null = Get-MgUser -UserId {user} -Property Id",
    ]
    for act in account.acts:
        lines += [comment(f"Step: {act.kind.value}. {act.problem}"), *_act(act, user, name), "$done++"]
    return [*lines, ""]


def _act(act: RemainingAct, user: str, name: str) -> list[str]:
    if act.kind == StepKind.ROTATE_PASSWORD:
        return [f"Set-TypedPassword -UserId {user} -UserName {name}"]
    if act.kind == StepKind.REVOKE_SESSIONS:
        return [
            f"$null = Revoke-MgUserSignInSession -UserId {user}",
            f"Write-Host ('ENDED   the sessions of ' + {name})",
        ]
    directory_id, kind = act.method or ("", "")
    method, command = quoted(_id(directory_id)), COMMANDS[MethodKind(kind)]
    what = quoted(visible(f"{kind} {act.label or directory_id}"))
    listed = "Get-MgBetaUserAuthenticationMethod" if command.beta else "Get-MgUserAuthenticationMethod"
    return [
        f"if (@({listed} -UserId {user} -All | Where-Object {{ $_.Id -eq {method} }}).Count -gt 0) {{",
        f"    {command.name} -UserId {user} -{command.parameter} {method}",
        f"    Write-Host ('REMOVED ' + {what} + ' from ' + {name})",
        "} else {",
        f"    Write-Host ('GONE    ' + {what} + ' was not on ' + {name} + ' any more')",
        "}",
    ]


def _beta(act: RemainingAct) -> bool:
    return act.method is not None and COMMANDS[MethodKind(act.method[1])].beta


# --- what keeps a name from becoming code -------------------------------------------------------------------------


def visible(text: str) -> str:
    """Printable ASCII alone; everything else as its number: `<U+2019>`."""
    return "".join(letter if " " <= letter <= "~" else f"<U+{ord(letter):04X}>" for letter in text)


def quoted(text: str) -> str:
    """A PowerShell string in which nothing is expanded. Raises ValueError for what is not printable ASCII.

    PowerShell takes four more characters for a single quote, none of which is ASCII.
    """
    if visible(text) != text:
        raise ValueError("Only printable ASCII can be quoted.")
    return "'" + text.replace("'", "''") + "'"


def comment(text: str) -> str:
    """One line, which cannot end before its end. It begins with our own words, so it is never a directive."""
    return f"# {visible(' '.join(text.split()))[:LONGEST_COMMENT]}"


def _id(text: str) -> str:
    if not ID.fullmatch(text):
        raise ValueError("This is not an id of Microsoft's.")
    return text


# --- what is seen afterwards --------------------------------------------------------------------------------------


def seen_after_script(step: StepFacts, look: Observation, *, entered_at: dt.datetime | None) -> bool:
    """Does this reading show what the script was to do? Compared with the reading from before it was taken.

    A new password counts when its time at Microsoft is later than before, after the script was taken, and not later
    than the password in Latchkey was entered (`entered_at`): a change at another time was somebody else's.
    """
    if step.kind != StepKind.ROTATE_PASSWORD:
        return is_done(step, look)
    taken_at, changed_at = step.was.get(TAKEN_AT), look.password_changed_at
    if step.was.get(DID_NOT_SIGN_IN) or not taken_at or not entered_at or changed_at is None:
        return False
    return (
        moved(step.was.get("password_changed_at"), changed_at)
        and changed_at >= dt.datetime.fromisoformat(taken_at) - CLOCK_DIFFERENCE
        and changed_at <= entered_at + CLOCK_DIFFERENCE
    )
