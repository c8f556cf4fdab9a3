"""One tenant's line to Microsoft Graph: calls with a token, single or in a batch, and lists page by page.

Every client of ours speaks through it. Safe to use from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from msp.errors import NotInThisCloud, Unreachable
from msp.microsoft.answers import Call, Reply, lost, no
from msp.microsoft.batch import opened
from msp.microsoft.breaker import CircuitBreaker
from msp.microsoft.budget import Budget
from msp.microsoft.clouds import Ability, Cloud
from msp.microsoft.ports import Access, AccountRef, Answer
from msp.microsoft.tokens import TokenStore
from msp.microsoft.transport import Transport

MOST_PAGES = 1000


def token_refused(reply: Reply) -> bool:
    return reply.status == 401


def any_token_refused(reply: Reply) -> bool:
    """The same for a batch, where the envelope may be welcome and a part of it not."""
    return token_refused(reply) or any(token_refused(part) for part in opened(reply).values())


class Line:
    """The way to one tenant. `budget` and `breaker` are those of the whole process."""

    def __init__(
        self, tenant_id: str, cloud: Cloud, tokens: TokenStore, transport: Transport, *,
        budget: Budget, breaker: CircuitBreaker, access: Access = Access.APPLICATION,
    ) -> None:  # fmt: skip
        self.tenant_id = tenant_id
        self.cloud = cloud
        self.tokens = tokens
        self.access = access
        self._transport = transport
        self._budget = budget
        self._breaker = breaker

    def about(
        self, method: str, path: str, doing: str, account: AccountRef, *, stands: str, needs: str,
        changes: bool = False, body: Mapping[str, Any] | None = None, secret: str = "",
    ) -> Call:  # fmt: skip
        """A call about one account, in words that name it."""
        where = f"{account.user_principal_name or account.object_id} in tenant {self.tenant_id}"
        return Call(method, path, f"{doing} {where}", stands, needs, changes, body, secret)

    def reading(self, path: str, doing: str, *, needs: str, headers: Mapping[str, str] | None = None) -> Call:
        """A call that reads something of the tenant as a whole."""
        return Call(
            "GET", path, f"{doing} in tenant {self.tenant_id}", "Nothing was changed.", needs, changes=False,
            headers=headers or {},
        )  # fmt: skip

    def demand(self, ability: Ability, call: Call) -> None:
        """Raises NotInThisCloud, before anything is sent, where the cloud lacks the API."""
        if ability in self.cloud.lacks:
            raise NotInThisCloud(
                f"The cloud {self.cloud.name} has no API for this, so nothing was sent for {call.doing}. "
                f"{call.stands} A person must do it in the Entra admin centre.",
                code="not_in_this_cloud",
            )

    def send(self, call: Call, refused: Callable[[Reply], bool] = token_refused) -> Reply:
        """Send with a token, and once more with a new one when Microsoft refuses it (a refusal has no effect).

        Raises Busy before anything is sent where it would be more than this tenant's share, and Unreachable while
        the tenant is left alone after failures.
        """
        with self._breaker.watching(self.tenant_id, call) as answered:
            self._budget.take(self.tenant_id, call)
            token = self.tokens.token(self.tenant_id, self.cloud, self.access)
            reply = self._transport.ask_graph(self.cloud.graph_url, call, token)
            if refused(reply):
                token = self.tokens.renewed(self.tenant_id, self.cloud, token, self.access)
                reply = self._transport.ask_graph(self.cloud.graph_url, call, token)
            self._budget.learn(self.tenant_id, call, reply)
            answered(reply)
            return reply

    def renew_token(self) -> None:
        """Fetch a new token after a part of a batch was refused for the old one."""
        held = self.tokens.token(self.tenant_id, self.cloud, self.access)
        self.tokens.renewed(self.tenant_id, self.cloud, held, self.access)

    def may(self, permission: str) -> bool:
        """Whether our token carries a permission."""
        return permission in self.tokens.permissions(self.tenant_id, self.cloud, self.access)

    def read(self, call: Call, wanted: str = "") -> Mapping[str, Any]:
        """The body of one read. Raises what its status means, or Unreachable when `wanted` is not in it."""
        return body_of(self.send(call), call, wanted)

    def pages(self, call: Call) -> Iterator[Mapping[str, Any]]:
        """Every element of a list, one page at a time in memory."""
        yield from self.rest(self.read(call, "value"), call)

    def rest(self, body: Mapping[str, Any], call: Call) -> Iterator[Mapping[str, Any]]:
        """Every element of a list whose first page was read. A link to another host is not followed: our token
        would go along.
        """
        for _ in range(MOST_PAGES):
            page = body.get("value")
            if not isinstance(page, list):
                raise unfinished(call)
            yield from (item if isinstance(item, dict) else {} for item in page)
            link = body.get("@odata.nextLink")
            if not link:
                return
            if not str(link).startswith(f"{self.cloud.graph_url}/"):
                raise unfinished(call)
            path = str(link).removeprefix(self.cloud.graph_url)
            body = self.read(replace(call, method="GET", path=path, body=None), "value")
        raise unfinished(call)


def body_of(reply: Reply | None, call: Call, wanted: str = "") -> Mapping[str, Any]:
    """The body of one read, judged by its own status."""
    if reply is None:
        raise unfinished(call)
    if not reply.said_yes:
        raise no(reply, call)
    if reply.body is None or (wanted and wanted not in reply.body):
        raise unfinished(call)
    return reply.body


def answer_of(reply: Reply, call: Call, *, already: bool = False) -> Answer:
    """The yes to a change. Raises what any other status means, and AnswerLost for a yes that is not Graph's."""
    if not (reply.said_yes or already):
        raise no(reply, call)
    if reply.said_yes and reply.strange:
        raise lost(call, f"what came back ({reply.status}) is no answer of Graph's; a proxy may have spoken for it")
    return Answer(reply.request_id, reply.client_request_id, reply.answered_at, already=already)


def unfinished(call: Call) -> Unreachable:
    """The error for an answer that lacks what was asked for."""
    return Unreachable(
        f"Microsoft's answer was not complete while {call.doing}. {call.stands} Reading is safe; it is tried again.",
        code="answer_incomplete",
    )
