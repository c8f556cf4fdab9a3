"""The login host: discovery and the token endpoint.

It checks the certificate assertion for real (PS256 or RS256, thumbprint, audience, issuer, times).
Assumption: the HTTP status is 401 for invalid_client and 400 otherwise; the codes 70011, 700021, 700023 and 700024
are taken from common knowledge.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

import jwt
from cryptography import x509

from . import delegation, events, hosts, organisation, rules, signin
from .answers import Answer, Refusal, Request, login_error
from .cloud import Cloud
from .state import AppRegistration, SimTenant, SimUser

NOT_A_TENANT = frozenset({"common", "consumers"})
"""What stands for no tenant in particular. `organizations` is not known here."""
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

_TEXTS = {
    50034: "The user account does not exist in the directory. To sign into this application, the account must be "
    "added to the directory.",
    50053: "You've tried to sign in too many times with an incorrect user ID or password.",
    50055: "The password is expired.",
    50056: "Invalid or null password: password does not exist in the directory for this user.",
    50057: "The user account is disabled.",
    50076: "Due to a configuration change made by your administrator, or because you moved to a new location, you "
    "must use multi-factor authentication to access the resource.",
    50079: "Due to a configuration change made by your administrator, or because you moved to a new location, you "
    "must enroll in multi-factor authentication to access the resource.",
    50173: "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
    50196: "The server terminated an operation because it encountered a client request loop.",
    53003: "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    90024: "A transient error has occurred. Please try again.",
    90033: "A transient error has occurred. Please try again.",
    90055: "Too many requests. Please try again.",
    500014: "The service principal for the resource is disabled.",
    50126: "Error validating credentials due to invalid username or password.",
    65001: "The user or administrator has not consented to use the application.",
    70003: "The app requested an unsupported grant type.",
    70008: "The provided authorization code or refresh token is expired or not known.",
    70011: "The provided request must include a 'scope' input parameter that is valid.",
    90099: "The application has not been authorized in the tenant. Applications must be authorized to access the "
    "customer tenant before partner delegated administrators can use them.",
    530034: "A delegated administrator was blocked from accessing the tenant due to account risk in their home tenant.",
    90002: "Tenant not found. Check that you have the correct tenant ID and are signing into the correct cloud.",
    900144: "The request body must contain a required parameter that is missing.",
    9001023: "The grant type is not supported over the /common or /consumers endpoints. Use the /organizations or "
    "tenant-specific endpoint.",
    700082: "The refresh token has expired due to inactivity.",
    700016: "Application was not found in the directory. This can happen if the application has not been installed by "
    "the administrator of the tenant or consented to by any user in the tenant.",
    700021: "Client assertion application identifier doesn't match 'client_id' parameter.",
    700023: "Client assertion audience claim does not match Realm issuer.",
    700024: "Client assertion is not within its valid time range.",
    700025: "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    700027: "The certificate with identifier used to sign the client assertion is not registered on application, or "
    "the signature is invalid.",
    7000112: "Application is disabled.",
    7000215: "Invalid client secret provided.",
    7000218: "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    7000222: "The provided client secret keys for app are expired.",
}
_ERRORS = {
    700082: "invalid_grant",
    530034: "invalid_grant",
    50196: "temporarily_unavailable",
    90024: "temporarily_unavailable",
    90033: "temporarily_unavailable",
    90055: "temporarily_unavailable",
    500014: "invalid_resource",
    65001: "invalid_grant",
    70003: "unsupported_grant_type",
    70011: "invalid_scope",
    90002: "invalid_request",
    900144: "invalid_request",
    9001023: "invalid_request",
    700016: "unauthorized_client",
    7000112: "unauthorized_client",
}


def _no(request: Request, code: int) -> Refusal:
    """The refusal with this AADSTS code; 7xxxxx codes not listed mean a bad client, 5xxxx a bad grant."""
    text = _TEXTS.get(code, "The request was refused.")
    error = _ERRORS.get(code) or ("invalid_client" if code >= 700000 else "invalid_grant")
    return Refusal(login_error(401 if error == "invalid_client" else 400, error, code, text, request.base))


def tenant_or_refuse(cloud: Cloud, request: Request, key: str) -> SimTenant:
    found = cloud.find_tenant(key)
    if found is None or not hosts.serves(request.base, found.cloud):
        raise _no(request, 90002)
    trouble = organisation.refusal_of(found) or cloud.login_trouble.get(found.id, 0)
    if trouble:
        raise _no(request, trouble)
    return found


def discovery(cloud: Cloud, request: Request, key: str) -> Answer:
    """`GET /{tenant}/v2.0/.well-known/openid-configuration`"""
    tenant = tenant_or_refuse(cloud, request, key)
    root = f"{request.base}/{key}/oauth2/v2.0"
    return Answer(
        200,
        {
            "token_endpoint": f"{root}/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "authorization_endpoint": f"{root}/authorize",
            "device_authorization_endpoint": f"{root}/devicecode",
            "jwks_uri": f"{request.base}/{key}/discovery/v2.0/keys",
            "issuer": f"{request.base}/{tenant.id}/v2.0",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "tenant_region_scope": "EU",
        },
    )


def instance(request: Request) -> Answer:
    """`GET /common/discovery/instance`: this host is the only one of its cloud."""
    host = request.base.removeprefix("https://")
    asked = request.query.get("authorization_endpoint", "")
    if asked and not asked.startswith(f"{request.base}/"):
        return Answer(
            400, {"error": "invalid_instance", "error_description": "AADSTS50049: Unknown or invalid instance."}
        )
    names = {"preferred_network": host, "preferred_cache": host, "aliases": [host]}
    tenant = asked.removeprefix(f"{request.base}/").partition("/")[0] or "common"
    return Answer(
        200,
        {
            "tenant_discovery_endpoint": f"{request.base}/{tenant}/v2.0/.well-known/openid-configuration",
            "api-version": "1.1",
            "metadata": [names],
        },
    )


def realm(cloud: Cloud, request: Request, upn: str) -> Answer:
    """`GET /common/userrealm/{upn}`: who judges this user's password. Assumption: the names (as MSAL reads them)."""
    domain = upn.rpartition("@")[2].lower()
    federated = any(domain in tenant.federated for tenant in list(cloud.tenants.values()))
    kind = "Federated" if federated else "Managed" if cloud.find_tenant(domain) else "Unknown"
    host = request.base.removeprefix("https://")
    return Answer(200, {"ver": "1.0", "account_type": kind, "domain_name": domain, "cloud_instance_name": host})


def token(cloud: Cloud, request: Request, key: str) -> Answer:
    """`POST /{tenant}/oauth2/v2.0/token`: client_credentials, the partner's refresh_token, and password for a probe."""
    if key in NOT_A_TENANT:
        raise _no(request, 9001023)
    tenant = tenant_or_refuse(cloud, request, key)
    form = dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    client_id = (form.get("client_id") or _basic(request)[0]).lower()
    if not client_id or not form.get("grant_type"):
        raise _no(request, 900144)
    app = cloud.apps.get(client_id)
    consent = tenant.consents.get(client_id)
    # A person's sign-in asks for the consent that is missing; without one there is no such application.
    if app is None or (consent is None and form["grant_type"] != "refresh_token"):
        raise _no(request, 700016)
    _check_client(request, app, form, (key, *tenant.names))
    if consent and not consent.enabled:
        raise _no(request, 7000112)
    if form["grant_type"] == "password":
        consented = bool(consent and consent.permissions) or bool(tenant.scopes.get(client_id))
        return _probe(cloud, request, tenant, form, consented=consented)
    if form["grant_type"] == "refresh_token":
        code, granted = delegation.redeem(cloud, tenant, client_id, form.get("refresh_token", ""))
        if code:
            raise _no(request, code)
        return Answer(200, granted)
    if form["grant_type"] != "client_credentials":
        raise _no(request, 70003)
    if not form.get("scope", "").endswith("/.default"):
        raise _no(request, 70011)
    issued, life = cloud.issue_token(tenant, client_id)
    return Answer(200, {"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": issued})


def _check_client(request: Request, app: AppRegistration, form: dict[str, str], names: tuple[str, ...]) -> None:
    """Raise the refusal unless the client proves itself by assertion or secret."""
    secret = form.get("client_secret") or _basic(request)[1]
    assertion = form.get("client_assertion", "")
    if app.public_client and form["grant_type"] == "password":
        if secret or assertion:
            raise _no(request, 700025)
        return
    if assertion and form.get("client_assertion_type") == JWT_BEARER:
        _check_assertion(request, app, assertion, names)
    elif secret:
        if not app.secret or not hmac.compare_digest(secret.encode(), app.secret.encode()):
            raise _no(request, 7000215)
        if app.secret_expired:
            raise _no(request, 7000222)
    else:
        raise _no(request, 7000218)


def _check_assertion(request: Request, app: AppRegistration, assertion: str, names: tuple[str, ...]) -> None:
    try:
        header = jwt.get_unverified_header(assertion)
    except jwt.InvalidTokenError:
        raise _no(request, 700027) from None
    # MSAL pads the value, the standard (RFC 7515) does not.
    sha256, sha1 = (str(header.get(name, "")).rstrip("=") for name in ("x5t#S256", "x5t"))
    known = sha256 == app.sha256_thumbprint or sha1 == app.sha1_thumbprint
    if not app.certificate_pem or not known:
        raise _no(request, 700027)
    key: Any = x509.load_pem_x509_certificate(app.certificate_pem.encode()).public_key()
    try:
        claims = jwt.decode(
            assertion,
            key,
            algorithms=["PS256", "RS256"],
            audience=[f"{request.base}/{name}/oauth2/v2.0/token" for name in names],
            leeway=60,
            options={"require": ["exp", "iss", "sub", "aud", "jti"]},
        )
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
        raise _no(request, 700024) from None
    except jwt.InvalidAudienceError:
        raise _no(request, 700023) from None
    except jwt.InvalidTokenError:
        raise _no(request, 700027) from None
    if not str(claims["iss"]).lower() == str(claims["sub"]).lower() == app.client_id:
        raise _no(request, 700021)


def _basic(request: Request) -> tuple[str, str]:
    """(client id, secret) of HTTP Basic, or empty."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        name, _, secret = base64.b64decode(value).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _probe(cloud: Cloud, request: Request, tenant: SimTenant, form: dict[str, str], *, consented: bool) -> Answer:
    """A sign-in with a password alone: a token where nothing asks for more than that, else the code that says what.

    Assumption: the password is judged before anything else is said about the account.
    """
    if not form.get("username") or "password" not in form:
        raise _no(request, 900144)
    with tenant.lock:
        user = tenant.user(form["username"])
        if user is None:
            raise _no(request, 50034)
        code = _code_of_probe(cloud, tenant, user, form["password"], consented=consented)
        events.signed_in(cloud, tenant, user, error=code, interactive=False)
    cloud.changed()
    if code:
        raise _no(request, code)
    client_id = form["client_id"].lower()
    issued, life = cloud.issue_token_for(tenant, client_id, user)
    given: dict[str, object] = {"token_type": "Bearer", "scope": "", "expires_in": life, "access_token": issued}
    if "offline_access" in form.get("scope", "").split():
        given["refresh_token"] = delegation.refresh_token_of(cloud, tenant.id, user, client_id)
    return Answer(200, given)


def _code_of_probe(cloud: Cloud, tenant: SimTenant, user: SimUser, password: str, *, consented: bool) -> int:
    """The AADSTS code, 0 for a token. Assumption: the codes for those whose password is not here (50056) or not
    taken in this grant (50126 for one with blanks at an end).
    """
    if rules.is_guest(user) or rules.is_federated(tenant, user) or not user.password:
        return 50056
    if password != password.strip():
        return 50126
    verdict = signin.judge_password(user, password, cloud.now())
    if verdict != "right":
        return {"wrong": 50126, "locked": 50053, "disabled": 50057}[verdict]
    if user.password_expired:
        return 50055
    policies = [one for one in tenant.policies.conditional_access if one.get("state") == "enabled"]
    if any(one.get("blocks") == "ropc" for one in policies):
        return 53003
    if not consented:
        return 65001
    asks = tenant.policies.security_defaults or user.mfa_state != "disabled" or any(one.get("mfa") for one in policies)
    if not asks:
        return 0
    return 50076 if signin.has_second_factor(user) else 50079
