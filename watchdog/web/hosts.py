"""Refuses requests for host names that are not this daemon's.

A browser lets a web site read whatever has the site's own name. A site whose name is changed to
lead to the daemon's address (DNS rebinding) could read the page and the metrics through its
visitor's browser.
"""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_NOT_PUBLIC = ("*.svc", "*.cluster.local")
"""Names of Services within a Kubernetes cluster, which the public DNS never has."""

_EVERYWHERE = ("/healthz", "/readyz")
"""A probe may use a host name that is not allowed. If it were refused, the platform would restart
the daemon. What these answer is about the daemon, and names no model."""

_MISDIRECTED = 421
"""https://www.rfc-editor.org/rfc/rfc9110#name-421-misdirected-request"""


class AllowedHosts:
    """A middleware. Allowed are addresses, names without a dot (`localhost`, a container, a Service
    of the same namespace), names that end with `.svc` or `.cluster.local`, and the hosts of
    `patterns`: a name, or `*.` and the end of a name."""

    def __init__(self, app: ASGIApp, patterns: Sequence[str]) -> None:
        self._app = app
        self._patterns = (*_NOT_PUBLIC, *(each.lower() for each in patterns))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # No browser leaves the header out.
        host = Headers(scope=scope).get("host", "")
        if scope["path"] in _EVERYWHERE or not host or self._allows(_name(host)):
            await self._app(scope, receive, send)
            return
        refusal = "this host name is not allowed: add it to server.allowed_hosts\n"
        await PlainTextResponse(refusal, status_code=_MISDIRECTED)(scope, receive, send)

    def _allows(self, name: str) -> bool:
        if "." not in name or _is_address(name):
            return True
        return any(
            name.endswith(each.removeprefix("*")) if each.startswith("*.") else name == each
            for each in self._patterns
        )


def _name(host: str) -> str:
    """Of the header's value, without the port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower().removesuffix(".")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
