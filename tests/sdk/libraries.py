"""azure-identity, msgraph-sdk and msgraph-beta-sdk, with a simulated cloud in the place of Microsoft's.

Nothing of ours helps them to read: an answer that they do not understand is a fault of the simulator, or of theirs.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import ssl
from collections.abc import Awaitable
from typing import Any, TypeVar

import httpx
import msgraph
import msgraph_beta
from azure.identity import CertificateCredential
from kiota_abstractions.date_utils import parse_timedelta_from_iso_format
from kiota_abstractions.serialization import Parsable
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from kiota_serialization_json.json_serialization_writer import JsonSerializationWriter
from msgraph_core import GraphClientFactory
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.requests.batch_response_content import BatchResponseContent

from tests.support.simulated import APP, Microsoft, credential

T = TypeVar("T")

NOT_IN_THE_LIBRARY = {
    ("v1.0", "UnifiedRoleAssignment"): {"resourceScope"},
    ("beta", "TemporaryAccessPassAuthenticationMethod"): {"isUsable", "methodUsabilityReason"},
    ("beta", "SignInPreferences"): {"systemPreferredAuthenticationMethod"},
    ("beta", "SignIn"): {"riskEventTypes"},
    ("v1.0", "AuthenticationMethod"): {"displayName"},
    ("beta", "AuthenticationMethod"): {"displayName"},
}
"""(version, class) -> names that the library has no property for; it keeps them as additional data.

A role's resourceScope stands in Microsoft's documented sample and in no contract, the method that the system prefers on
Microsoft's page and in no contract. A pass and a sign-in have theirs at v1.0, and at beta only in documented samples.
AuthenticationMethod is what the libraries make of a type that they do not know.
"""


class Libraries:
    """Both libraries, in Contoso. Every answer that passes through `ask` must have been understood in full."""

    def __init__(self, cloud: Microsoft) -> None:
        self._cloud = cloud
        self._loop = asyncio.Runner()
        self._trusted = ssl.create_default_context(cafile=str(cloud.simulator.ca_path))
        self._bodies: list[tuple[str, Any]] = []
        self._open: list[httpx.AsyncClient] = []
        self.v1: Any = self._library(msgraph, "v1.0")
        self.beta: Any = self._library(msgraph_beta, "beta")

    def signed_in(self) -> CertificateCredential:
        """The application's own credential, as azure-identity takes it: key and certificate in one PEM."""
        own = credential()
        return CertificateCredential(
            self._cloud.contoso.id,
            APP,
            certificate_data=f"{own.private_key}{own.certificate}".encode(),
            authority=self._cloud.url,
            disable_instance_discovery=True,
            connection_verify=str(self._cloud.simulator.ca_path),
        )

    def ask(self, question: Awaitable[T]) -> T:
        """The library's answer. Fails when a part of what the cloud said was lost in it or left over."""
        self._bodies.clear()
        answer = self._loop.run(_awaited(question))
        if isinstance(answer, Parsable):
            version, said = self._bodies[-1]
            lost, further = what_is_lost(answer, said), left_over(answer, version)
            assert not lost, f"{type(answer).__name__} of {version} lost {sorted(lost)}"
            assert not further, f"{type(answer).__name__} of {version} has no place for {sorted(further)}"
        return answer

    def ask_together(self, library: Any, *questions: Any) -> tuple[BatchResponseContent, list[str]]:
        """Several questions in one request: the answer, and under which id each is answered in it."""
        asked = BatchRequestContent()
        for question in questions:
            asked.add_request_information(question)
        return self._loop.run(_awaited(library.batch.post(asked))), list(asked.requests)

    def _library(self, library: Any, version: str) -> Any:
        """A client of the library with its usual middleware; only address and trust are ours."""
        http = httpx.AsyncClient(verify=self._trusted, timeout=60, trust_env=False)
        http.event_hooks = {"response": [lambda response: self._keep(version, response)]}
        self._open.append(http)
        scopes = [f"{self._cloud.url}/.default"]
        adapter = library.GraphRequestAdapter(
            AzureIdentityAuthenticationProvider(self.signed_in(), scopes=scopes),
            GraphClientFactory.create_with_default_middleware(client=http),
        )
        adapter.base_url = f"{self._cloud.url}/{version}"
        return library.GraphServiceClient(request_adapter=adapter)

    async def _keep(self, version: str, response: httpx.Response) -> None:
        body = await response.aread()
        self._bodies.append((version, json.loads(body) if body else None))

    def __enter__(self) -> Libraries:
        return self

    def __exit__(self, *_: object) -> None:
        for http in self._open:
            self._loop.run(http.aclose())
        self._loop.close()


async def _awaited(question: Awaitable[T]) -> T:
    return await question


def what_is_lost(answer: Parsable, said: Any) -> set[str]:
    """The places of an answer that are not there any more, or different, when the library writes down what it read."""
    writer = JsonSerializationWriter()
    answer.serialize(writer)
    written = dict(_leaves(json.loads(writer.get_serialized_content())))
    return {place for place, value in _leaves(said) if written.get(place) != value}


def _leaves(value: Any, place: str = "") -> list[tuple[str, Any]]:
    """(place, value) of everything that is neither empty nor an annotation; times and durations as what they mean."""
    if isinstance(value, dict):
        inner = [(f"{place}/{name}", one) for name, one in value.items() if not _is_annotation(name)]
    elif isinstance(value, list):
        inner = [(f"{place}/{number}", one) for number, one in enumerate(value)]
    else:
        return [] if value is None else [(place, _meaning(value))]
    return [leaf for name, one in inner for leaf in _leaves(one, name)]


def _is_annotation(name: str) -> bool:
    return "@odata." in name and name != "@odata.type"


def _meaning(value: Any) -> Any:
    for meant in (dt.datetime.fromisoformat, _duration):
        try:
            return meant(value)
        except (TypeError, ValueError):
            continue
    return value


def _duration(text: str) -> str:
    """As the library writes down a duration that it has read."""
    return str(parse_timedelta_from_iso_format(text))


def left_over(answer: Any, version: str) -> set[str]:
    """What the library has no property for, as `class.name`, beyond what NOT_IN_THE_LIBRARY tells."""
    if isinstance(answer, list):
        return {name for one in answer for name in left_over(one, version)}
    if not isinstance(answer, Parsable):
        return set()
    own = type(answer).__name__
    further = set(getattr(answer, "additional_data", {})) - NOT_IN_THE_LIBRARY.get((version, own), set())
    found = {f"{own}.{name}" for name in further if not _is_annotation(name)}
    return found.union(*(left_over(one, version) for name, one in vars(answer).items() if name != "additional_data"))
