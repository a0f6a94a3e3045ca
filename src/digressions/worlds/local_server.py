"""A server for this machine's own browser: where it listens, and who may ask.

Needs no torch: a page can be there before the work is.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Iterable, Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import InputError

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


class Guard:
    """Turns away what comes under a foreign name or from another site's page.

    A host name that is not known is refused: otherwise a site could have its own name resolve to
    this machine and read everything (DNS rebinding). An address in digits cannot be bent so.
    Browsers say in ``Sec-Fetch-Site`` where a request comes from; only the page itself may be
    linked to from elsewhere, so that no picture on another site sets the painter to work.

    Args:
        hosts: Names that it answers to besides ``localhost`` and addresses in digits.
        headers: Of every answer.
        linked: The paths that other sites may link to.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str],
        headers: Mapping[str, str] = _HEADERS,
        linked: Collection[str] = ("/", "/screensaver"),
    ) -> None:
        self.app, self.hosts = app, {"localhost", *hosts}
        self.headers, self.linked = headers, linked

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        headers = Headers(scope=scope)
        refused = None
        if not self.is_known(headers.get("host", "")):
            text = "this host name is not served: whoever runs the server can allow it by `name`"
            refused = PlainTextResponse(text, 421)
        elif self.is_foreign(scope["path"], headers):
            refused = PlainTextResponse("not for other sites", 403)
        await (refused or self.app)(scope, receive, guarded)

    def is_foreign(self, path: str, headers: Headers) -> bool:
        """Whether another site's page asks for what it may not have."""
        if (origin := headers.get("origin")) is not None:  # browsers send it with what changes
            return origin.partition("://")[2] != headers.get("host")
        site = headers.get("sec-fetch-site", "none")
        return path not in self.linked and site not in ("same-origin", "none")

    def is_known(self, host: str) -> bool:
        """Whether a ``Host`` header, with or without a port, names this server."""
        match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(:[0-9]{1,5})?", host)
        if match is None:
            return False
        name = match[1].strip("[]").lower()
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self.hosts
        return True


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any that is free.

    Raises:
        InputError: There is no such address here, or somebody else listens there.
    """
    try:
        family, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputError(f"`host` {host} `port` {port}: {reason.lower()}") from error
