"""Commands that come from a page: whose they are, whether they are whole, and what became of them."""

import asyncio
import json
from pathlib import Path
from typing import Any

from lab.daemon.control import CommandError, ask
from lab.web.guard import Token

ARGUMENTS: dict[str, set[str]] = {
    "move": {"node", "to", "hint"},
    "impair": {"link", "delay", "jitter", "loss", "rate"},
    "kill": {"node"},
    "restart": {"node"},
    "cutoff": {"node"},
    "readmit": {"node"},
    "stream": {"source", "destination", "every"},
    "endstream": {"name"},
}
"""What a page may ask of a lab, and with which arguments; the lab itself looks at their values."""
DONE_WITHIN = 120.0
"""Seconds; a restart waits until the daemon serves."""
WATCHING = "you are watching: who drives opens the page by the address with a token that was printed at its start"


class Driving:
    """Hands commands to the lab."""

    def __init__(self, socket: Path, token: Token) -> None:
        self._socket, self._token = socket, token

    async def answer(self, text: str) -> dict[str, Any]:
        """Carry a command out, and say what became of it; whatever is wrong with it is told."""
        number: object = None
        try:
            request = _read(text)
            number = request.get("id")
            result = await self._carry_out(request)
        except CommandError as error:
            return {"kind": "answer", "id": number, "ok": False, "error": str(error)}
        return {"kind": "answer", "id": number, "ok": True, "result": result}

    async def _carry_out(self, request: dict[str, Any]) -> Any:
        if not self._token.opens_to(request.get("token")):
            raise CommandError(WATCHING)
        command, arguments = request.get("command"), request.get("arguments", {})
        if command == "hello":  # asks only whether the token is right
            return None
        if not isinstance(command, str) or command not in ARGUMENTS:
            raise CommandError(f"unknown command {command!r}; known: {', '.join(ARGUMENTS)}")
        if not isinstance(arguments, dict) or not arguments.keys() <= ARGUMENTS[command]:
            raise CommandError(f"{command} has the arguments {', '.join(sorted(ARGUMENTS[command]))}")
        return await asyncio.to_thread(ask, self._socket, command, within=DONE_WITHIN, **arguments)


def _read(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"not JSON: {error}") from error
    if not isinstance(request, dict) or not isinstance(request.get("id"), int | str | None):
        raise CommandError("a command is an object with id, token, command and arguments")
    return request
