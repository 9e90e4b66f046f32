"""Whom the page serves: no site of somebody else's, whatever name it makes a browser believe in."""

import hmac
import secrets
import socket
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Mapping[str, str] = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
LONGEST_TOKEN = 100


class Token:
    """What whoever drives must know; made anew for each page."""

    def __init__(self) -> None:
        self.text = secrets.token_urlsafe(16)

    def opens_to(self, told: object) -> bool:
        """Tell whether it is this one; how long that takes tells nothing."""
        return (
            isinstance(told, str)
            and len(told) <= LONGEST_TOKEN
            and hmac.compare_digest(told.encode(errors="replace"), self.text.encode())
        )


def is_our_host(host: str) -> bool:
    """Tell whether a Host header names this machine by an address, or by a name that nobody else can give it.

    Names of others may lead here as well (DNS rebinding); a browser then takes their pages for ours.
    """
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return False
    if name is None:
        return False
    if name in ("localhost", socket.gethostname().lower()):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_our_origin(headers: Headers) -> bool:
    """Tell whether a browser asks for one of our pages; who is no browser names no origin."""
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc == headers.get("host")


class Guard:
    """Refuses requests under names that are not ours, or from pages that are not; adds headers to answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if is_our_host(headers.get("host", "")) and is_our_origin(headers):
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before it is accepted: the answer is 403
        else:
            refusal = PlainTextResponse("This page is at an address, at localhost or at this machine's name.\n", 421)
            await refusal(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return send_with_headers
