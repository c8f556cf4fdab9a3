"""The only question that matters, asked from outside at the sign-in page: who still gets in?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from django.db import connection

from msp.ops.demo import LEAVER, DemoAccount, DemoCast
from msp.outside import Outside
from msp.simulator.remote import RemoteCloud
from technicians.actions.reveal_password import reveal_password

AT_ONCE = 8


@dataclass(frozen=True)
class Verdict:
    """What the sign-in page said about one account; a colleague is let in with the new password and the own code."""

    account: DemoAccount
    leaver_password_refused: bool
    leaver_code_refused: bool
    old_session_refused: bool
    colleagues_asked: int
    colleagues_let_in: int

    @property
    def right(self) -> bool:
        refused = self.leaver_password_refused and self.leaver_code_refused and self.old_session_refused
        return refused and 0 < self.colleagues_asked == self.colleagues_let_in


def sign_in_as_the_leaver(cast: DemoCast, cloud: RemoteCloud) -> dict[str, str]:
    """Before the departure: the leaver opens a session on every account. Account id -> session."""

    def one(made: DemoAccount) -> tuple[str, str]:
        phone = next(p for p in made.phones if p.technician == LEAVER)
        name = made.account.user_principal_name
        result, session = cloud.sign_in(made.tenant_id, name, made.password, cloud.code(seed=phone.seed))
        if not session:
            raise RuntimeError(f"The leaver could not sign in to {name} before the departure ({result}).")
        return str(made.account.pk), session

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(pool.map(one, cast.accounts))


def ask_everything(cast: DemoCast, cloud: RemoteCloud, sessions: dict[str, str], outside: Outside) -> list[Verdict]:
    """After the departure: one verdict for each account."""

    def one(made: DemoAccount) -> Verdict:
        try:
            return _ask(made, cast, cloud, sessions[str(made.account.pk)], outside)
        finally:
            connection.close()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, cast.accounts))


def _ask(made: DemoAccount, cast: DemoCast, cloud: RemoteCloud, session: str, outside: Outside) -> Verdict:
    name = made.account.user_principal_name
    leaver = next(p for p in made.phones if p.technician == LEAVER)

    def enters(password: str, seed: str, ahead: int = 0) -> tuple[str, str]:
        return cloud.sign_in(made.tenant_id, name, password, cloud.code(seed=seed, ahead=ahead))

    colleagues = [p for p in made.phones if p.technician != LEAVER]
    new = [_fetched(cast, made, p.technician, outside) for p in colleagues]
    # A code works once, so the leaver shows the next one: nothing but the missing authenticator may refuse it.
    with_old, _none = enters(made.password, leaver.seed, ahead=1)
    with_new, _none = enters(new[0], leaver.seed, ahead=1) if new else ("", "")
    let_in = sum(bool(enters(password, p.seed)[1]) for p, password in zip(colleagues, new, strict=True))
    return Verdict(
        account=made,
        leaver_password_refused=with_old == "wrong_password",
        leaver_code_refused=with_new == "wrong_code",
        old_session_refused=not cloud.session_alive(made.tenant_id, session),
        colleagues_asked=len(colleagues),
        colleagues_let_in=let_in,
    )


def _fetched(cast: DemoCast, made: DemoAccount, technician: int, outside: Outside) -> str:
    """The password as the colleague gets it: revealed by Latchkey, and recorded."""
    shown = reveal_password(
        cast.technicians[technician], made.account, reason="check after the departure", outside=outside
    )
    return shown[-1].password


def count(verdicts: list[Verdict], what: Callable[[Verdict], int]) -> int:
    return sum(int(what(verdict)) for verdict in verdicts)
