"""The control socket: one JSON line in, one out, versioned."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.errors import ConfigError, Mip6LabError

VERSION = 1
LONGEST_LINE = 65536
Command = Callable[[Mapping[str, Any]], Any]


class CommandError(Mip6LabError):
    """A command cannot be carried out; the text goes back to whoever asked."""


class Control:
    """Serves commands to any number of clients."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = commands
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket file that nobody listens on any more is replaced."""
        if self._path.exists():
            if _is_served(self._path):
                raise ConfigError(f"control: {self._path} is in use by a running node")
            self._path.unlink()
        self._server = await asyncio.start_unix_server(self._serve, self._path, limit=LONGEST_LINE)
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Listen no more and remove the socket file."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                try:
                    line = await reader.readline()
                except ValueError:
                    writer.write(_reply(error=f"a command has at most {LONGEST_LINE} octets"))
                    await writer.drain()
                    break
                if not line:
                    break
                writer.write(self._answer(line))
                await writer.drain()
        writer.close()

    def _answer(self, line: bytes) -> bytes:
        try:
            request = json.loads(line)
        except ValueError as error:
            return _reply(error=f"not a JSON line: {error}")
        if not isinstance(request, dict) or request.get("v") != VERSION:
            return _reply(error=f'a command is an object with "v": {VERSION} and "command"')
        name = request.get("command")
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None:
            return _reply(error=f"unknown command {name!r}; known: {', '.join(sorted(self._commands))}")
        try:
            return _reply(result=command(request))
        except Mip6LabError as error:
            return _reply(error=str(error))


def ask(path: Path, command: str, *, within: float = 5.0, **arguments: Any) -> Any:
    """Send one command to a node and wait for its result; raises `CommandError`."""
    request = {"v": VERSION, "command": command} | arguments
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(within)
            client.connect(str(path))
            client.sendall(json.dumps(request).encode() + b"\n")
            line = client.makefile("rb").readline()
    except OSError as error:
        raise CommandError(f"{path}: {error}") from error
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise CommandError(f"{path}: the node closed the connection") from error
    if not answer["ok"]:
        raise CommandError(answer["error"])
    return answer["result"]


def _reply(*, result: Any = None, error: str | None = None) -> bytes:
    body = (
        {"v": VERSION, "ok": True, "result": result} if error is None else {"v": VERSION, "ok": False, "error": error}
    )
    return json.dumps(body).encode() + b"\n"


def _is_served(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
