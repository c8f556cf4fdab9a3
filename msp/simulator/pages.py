"""Lists by pages: $top, $skiptoken and @odata.nextLink."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from .graph import Call


def page(
    call: Call, keys: Sequence[str], passes: Callable[[str], bool], *, usual: int = 100, most: int = 999
) -> tuple[list[str], str]:
    """(the keys of one page, link to the next or ""). `keys` are sorted; only those that pass are shown.

    The token is opaque to the caller: the last key that was shown.
    """
    if "$skip" in call.query:
        raise call.error(400, "Request_BadRequest", "'$skip' is not supported by the service.")
    try:
        top = int(call.query.get("$top", usual))
        after = base64.urlsafe_b64decode(call.query.get("$skiptoken", "").encode()).decode()
    except (ValueError, binascii.Error):
        raise call.error(400, "Request_BadRequest", "Invalid page size or skip token specified.") from None
    if not 1 <= top <= most:
        raise call.error(
            400, "Request_BadRequest", f"Invalid page size specified: must be between 1 and {most} inclusive."
        )
    shown: list[str] = []
    for at in range(bisect_right(keys, after), len(keys)):
        if passes(keys[at]):
            if len(shown) == top:
                return shown, _link(call, shown[-1])
            shown.append(keys[at])
    return shown, ""


def _link(call: Call, last: str) -> str:
    skip = base64.urlsafe_b64encode(last.encode()).decode()
    query = {name: value for name, value in call.query.items() if name != "$skiptoken"} | {"$skiptoken": skip}
    return f"{call.base}/{call.version}/{'/'.join(call.parts)}?{urlencode(query)}"
