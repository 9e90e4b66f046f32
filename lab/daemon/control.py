"""The control socket: one JSON line in, one out, versioned."""

import asyncio
import inspect
import json
import logging
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from lab.errors import ConfigError, Mip6LabError

VERSION = 1
LONGEST_LINE = 65536
Command = Callable[[Mapping[str, Any]], Any]
"""Gives its result, or what is awaited for it while others are served."""

_log = logging.getLogger(__name__)


class CommandError(Mip6LabError):
    """A command cannot be carried out; the text goes back to whoever asked."""


class Control:
    """Serves commands to any number of clients."""

    def __init__(self, path: Path, commands: Mapping[str, Command]) -> None:
        self._path = path
        self._commands = commands
        self._server: asyncio.Server | None = None
        self._closing = False
        self._clients: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def start(self) -> None:
        """Listen; a socket file that nobody listens on any more is replaced. Raises `ConfigError`."""
        if self._path.is_socket():
            if _is_served(self._path):
                raise ConfigError(f"control: {self._path} is in use by a running node")
            self._path.unlink()
        try:
            self._server = await asyncio.start_unix_server(self._connected, self._path, limit=LONGEST_LINE)
            self._path.chmod(0o600)
        except OSError as error:
            raise ConfigError(f"control: cannot listen on {self._path}: {error.strerror or error}") from error

    async def close(self) -> None:
        """Listen no more, let all clients go, and remove the socket file."""
        if self._server is not None:
            self._closing = True
            self._server.close()
            self._path.unlink(missing_ok=True)
            for writer in self._clients.values():
                writer.transport.abort()  # also one that does not read what it was told
            await asyncio.gather(*self._clients)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._closing:  # it came in while we closed
            writer.transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._clients[task] = writer
        task.add_done_callback(self._clients.pop)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await _read_line(reader):
                writer.write(await self._answer(line))
                await writer.drain()
        except _LineTooLongError:
            writer.write(_reply(error=f"a command has at most {LONGEST_LINE} octets"))
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> bytes:
        try:
            request = json.loads(line)
        except (ValueError, RecursionError) as error:
            return _reply(error=f"not a JSON line: {error}")
        if not isinstance(request, dict) or not request.keys() >= {"v", "command"}:
            return _reply(error=f'a command is an object with "v": {VERSION} and "command"')
        if request["v"] != VERSION:
            return _reply(error=f"version {request['v']!r} is not spoken here; this node speaks version {VERSION}")
        name = request["command"]
        command = self._commands.get(name) if isinstance(name, str) else None
        if command is None:
            return _reply(error=f"unknown command {name!r}; known: {', '.join(sorted(self._commands))}")
        try:
            result = command(request)
            return _reply(result=await result if inspect.isawaitable(result) else result)
        except Mip6LabError as error:
            return _reply(error=str(error))
        except Exception as error:  # a fault of ours must not end the service
            _log.exception("while answering %r", name)
            return _reply(error=f"internal error: {error!r}")


class _LineTooLongError(Exception):
    """More octets without a line end than are read."""


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """Read a line, the last one also without its line end; empty if there is none."""
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        raise _LineTooLongError from error


class Conversation:
    """A conversation with a node; raises `CommandError` if it cannot be begun."""

    def __init__(self, path: Path, *, within: float = 5.0) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(within)
        self._lines = self._socket.makefile("rb")
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self.close()
            raise CommandError(f"{path}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation."""
        self._lines.close()
        self._socket.close()

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send one command and wait for its result; raises `CommandError`."""
        request = {"v": VERSION, "command": command} | arguments
        try:
            self._socket.sendall(json.dumps(request).encode() + b"\n")
            line = self._lines.readline()
        except OSError as error:
            raise CommandError(f"{self._path}: {error}") from error
        if not line.endswith(b"\n"):
            raise CommandError(f"{self._path}: the node closed the connection")
        try:
            answer = json.loads(line)
            if answer["ok"]:
                return answer["result"]
            reason = str(answer["error"])
        except (ValueError, TypeError, KeyError) as error:
            raise CommandError(f"{self._path}: what answers there is no node: {line[:80]!r}") from error
        raise CommandError(reason)


def ask(path: Path, command: str, *, within: float = 5.0, **arguments: Any) -> Any:
    """Send one command to a node and wait for its result; raises `CommandError`."""
    with Conversation(path, within=within) as node:
        return node.ask(command, **arguments)


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
