"""The live page's server: one lab, any number of viewers."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from lab.daemon.control import CommandError
from lab.errors import ConfigError
from lab.templating import render, shared
from lab.web.driving import Driving
from lab.web.guard import Guard, Token
from lab.web.observer import Observer, Part
from lab.web.viewers import Snapshots, Viewer

LOOK_EVERY = 0.1
"""Seconds between two looks at the lab."""
TAKEN_WITHIN = 20.0
"""Seconds in which a viewer must take what it is sent."""
LONGEST_MESSAGE = 4096
"""Octets of a command."""
PIECE = 1 << 16
TRY_AGAIN_LATER = 1013
MEDIA = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


class Server:
    """Serves the page of a lab until that ends."""

    def __init__(self, observer: Observer, lab: Path, listener: socket.socket) -> None:
        self.token = Token()
        self._observer, self._listener = observer, listener
        self._driving = Driving(lab, self.token)
        self._snapshots = Snapshots()
        app = Starlette(
            routes=[
                Route("/", self._page),
                *(Route(f"/live/{path.name}", _asset(path)) for path in _assets()),
                Route("/captures/{link}.pcapng", self._capture),
                WebSocketRoute("/watch", self._watch),
            ],
            middleware=[Middleware(Guard)],
        )
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            access_log=False,
            server_header=False,
            ws="websockets-sansio",
            ws_max_size=LONGEST_MESSAGE,
            timeout_graceful_shutdown=1,
        )
        self._uvicorn = uvicorn.Server(config)

    def run(self) -> None:
        """Serve until the lab ends, or Ctrl-C."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._snapshots.publish([], await asyncio.to_thread(self._seen))
        following = asyncio.create_task(self._follow())
        try:
            await self._uvicorn.serve(sockets=[self._listener])
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following

    def _seen(self) -> list[Part]:
        self._observer.look()
        return self._observer.snapshot()

    async def _follow(self) -> None:
        """Look at the lab again and again; when it ends, end."""
        try:
            with suppress(CommandError):
                while True:
                    parts = await asyncio.to_thread(self._observer.look)
                    self._snapshots.publish(parts, self._observer.snapshot())
                    await asyncio.sleep(LOOK_EVERY)
            self._snapshots.publish([{"kind": "ended"}], [*self._snapshots.latest, {"kind": "ended"}])
            await asyncio.sleep(LOOK_EVERY)  # for it to be sent
        finally:
            self._uvicorn.should_exit = True

    async def _page(self, _: Request) -> Response:
        return HTMLResponse(render("live.html.j2"))

    async def _capture(self, request: Request) -> Response:
        link = request.path_params["link"]
        path = self._observer.captures.get(link)
        if path is None or not path.is_file():
            return PlainTextResponse(f"no capture of a link {link}\n", 404)
        saved = {"content-disposition": f'attachment; filename="{link}.pcapng"'}
        return StreamingResponse(_so_far(path), media_type="application/octet-stream", headers=saved)

    async def _watch(self, page: WebSocket) -> None:
        await page.accept()
        if self._snapshots.full:
            await page.close(TRY_AGAIN_LATER, "too many watch already")
            return
        viewer = Viewer()
        self._snapshots.viewers.add(viewer)
        telling = asyncio.create_task(self._tell(page, viewer))
        try:
            while True:
                viewer.answer(await self._driving.answer(await page.receive_text()))
        except (WebSocketDisconnect, KeyError):  # gone, or sent octets that are no text
            pass
        finally:
            self._snapshots.viewers.discard(viewer)
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    async def _tell(self, page: WebSocket, viewer: Viewer) -> None:
        """Send a viewer what it is to be told; one that takes too long is let go."""
        try:
            while True:
                for part in await viewer.next(self._snapshots):
                    async with asyncio.timeout(TAKEN_WITHIN):
                        await page.send_text(json.dumps(part, separators=(",", ":")))
        except (TimeoutError, WebSocketDisconnect, RuntimeError):  # Starlette says RuntimeError of one that is gone
            self._snapshots.viewers.discard(viewer)
            with suppress(RuntimeError, WebSocketDisconnect):
                await page.close(TRY_AGAIN_LATER, "too slow")


def _assets() -> list[Path]:
    """Name the files of the page: its own, and what it shares with reports."""
    templates = shared("templates")
    return [*sorted((templates / "live").iterdir()), templates / "report.css"]


def _asset(path: Path) -> Callable[[Request], Awaitable[Response]]:
    async def give(_: Request) -> Response:
        return FileResponse(path, media_type=MEDIA[path.suffix])

    return give


async def _so_far(path: Path) -> AsyncIterator[bytes]:
    """Give a file that somebody still writes, as long as it is now."""
    left = path.stat().st_size
    with path.open("rb") as file:
        while left and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece


def listen(where: str) -> socket.socket:
    """Listen at ADDRESS:PORT, of IPv6 as [ADDRESS]:PORT; port 0 is any free one. Raises `ConfigError`."""
    host, colon, port = where.rpartition(":")
    try:
        address = ip_address(host.removeprefix("[").removesuffix("]"))
        if not colon or not port.isdecimal() or int(port) > 65535:
            raise ValueError("no port")
    except ValueError as error:
        raise ConfigError(f"--web-bind {where}: write ADDRESS:PORT, as 127.0.0.1:6275 or [::1]:6275") from error
    family = socket.AF_INET6 if isinstance(address, IPv6Address) else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((str(address), int(port)))
    except OSError as error:
        listener.close()
        hint = "choose another port by --web-bind ADDRESS:PORT"
        raise ConfigError(f"--web-bind {where}: {error.strerror}; {hint}") from error
    listener.listen()
    return listener
