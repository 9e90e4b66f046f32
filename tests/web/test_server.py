"""Viewers that take nothing are let go, and nobody waits for them; where the page is said to be."""

import asyncio
from typing import Any, cast

import pytest
from starlette.websockets import WebSocket

from lab.cli.web import _addresses
from lab.web import server
from lab.web.server import Server
from lab.web.viewers import Snapshots, Viewer


class Stuck:
    """A viewer's connection that takes nothing; it can be closed."""

    def __init__(self) -> None:
        self.closed: list[tuple[int, str]] = []

    async def send_text(self, _: str) -> None:
        await asyncio.Event().wait()

    async def close(self, code: int, reason: str) -> None:
        self.closed.append((code, reason))


def test_who_takes_nothing_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "TAKEN_WITHIN", 0.01)
    bare: Any = Server.__new__(Server)
    bare._snapshots = Snapshots()
    viewer, connection = Viewer(), Stuck()
    bare._snapshots.viewers.add(viewer)
    asyncio.run(asyncio.wait_for(bare._tell(cast("WebSocket", connection), viewer), 10))
    assert connection.closed == [(server.TRY_AGAIN_LATER, "too slow")]
    assert bare._snapshots.viewers == set()


@pytest.mark.parametrize(
    ("address", "watch", "drive"),
    [
        ("127.0.0.1", "http://127.0.0.1:6275/", "http://127.0.0.1:6275/"),
        ("::1", "http://[::1]:6275/", "http://[::1]:6275/"),
        ("0.0.0.0", "http://teacher:6275/", "http://localhost:6275/"),
        ("::", "http://teacher:6275/", "http://localhost:6275/"),
    ],
)
def test_addresses(monkeypatch: pytest.MonkeyPatch, address: str, watch: str, drive: str) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "teacher")
    assert _addresses(address, 6275) == (watch, drive)
