"""Stands before the API: refuses foreign Host headers on loopback, and bodies larger than any action needs.

The Host check stops DNS rebinding: a web page whose name is re-pointed at 127.0.0.1 still sends its own name. An SSH
or kubectl port-forward arrives as localhost, so it passes. When listening on another address any Host is accepted:
there a proxy, a container name or a service name is usual.
"""

from __future__ import annotations

import ipaddress
import json

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 16 * 1024


def is_loopback(host: str) -> bool:
    """Whether this name or address can only be reached from the machine itself."""
    name = host.strip().lower().removeprefix("[").removesuffix("]").removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """The Host header without its port."""
    if header.startswith("["):
        return header.partition("]")[0] + "]"
    return header.partition(":")[0]


class Gate:
    """The middleware. `local`: the server listens on loopback only."""

    def __init__(self, app: ASGIApp, *, local: bool) -> None:
        self._app = app
        self._local = local

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host")  # HTTP/1.0 checks send none; browsers always do
        if self._local and host and not is_loopback(host_of(host)):
            hint = "ask for it as 127.0.0.1 or localhost, or listen on another address to serve other names"
            await _answer(send, 400, "this Host is not served here", hint)
            return
        if _declared(headers) > LARGEST_BODY:
            await _answer(send, 413, "the body is too large", f"send at most {LARGEST_BODY} bytes")
            return
        body = await _read(receive)
        if body is None:
            await _answer(send, 413, "the body is too large", f"send at most {LARGEST_BODY} bytes")
            return
        await self._app(scope, _Replay(body, receive), send)


def _declared(headers: Headers) -> int:
    text = headers.get("content-length", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None as soon as it is too large or the client went away."""
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        more = message.get("more_body", False)
    return body


class _Replay:
    """Gives the app the body that was already read, then whatever comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        return await self._receive()


async def _answer(send: Send, status: int, error: str, hint: str) -> None:
    body = json.dumps({"error": error, "hint": hint}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
