"""Whom the page serves: hosts and origins that are ours, and commands with the token."""

import asyncio
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from starlette.datastructures import Headers

from lab.daemon.control import CommandError
from lab.errors import ConfigError
from lab.web import driving
from lab.web.driving import ARGUMENTS, Driving
from lab.web.guard import Token, is_our_host, is_our_origin
from lab.web.server import listen


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:6275", "127.0.0.1", "localhost:6275", "LOCALHOST", "[::1]:6275", "192.0.2.1:80", socket.gethostname()],
)
def test_our_hosts(host: str) -> None:
    assert is_our_host(host)


@pytest.mark.parametrize(
    "host",
    ["", "evil.example", "evil.example:6275", "localhost.evil.example", "127.0.0.1.evil.example", "[::1", "[x]:1"],
)
def test_hosts_of_others(host: str) -> None:
    assert not is_our_host(host)


@pytest.mark.parametrize(
    ("origin", "ours"),
    [
        ("http://127.0.0.1:6275", True),
        (None, True),
        ("http://127.0.0.1:6276", False),
        ("http://evil.example", False),
        ("null", False),
    ],
)
def test_origins(origin: str | None, ours: bool) -> None:
    headers = {"host": "127.0.0.1:6275"} | ({} if origin is None else {"origin": origin})
    assert is_our_origin(Headers(headers)) is ours


def test_tokens() -> None:
    token, other = Token(), Token()
    assert len(token.text) >= 22  # 128 bits
    assert token.opens_to(token.text)
    for wrong in (other.text, "", None, 1, ["a"], token.text + "x", token.text[:-1], "x" * 10000, "\ud800"):
        assert not token.opens_to(wrong)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect what reaches a lab; it refuses to move to `nowhere`."""
    reached: list[Any] = []

    def ask(path: Path, command: str, *, within: float, **arguments: Any) -> str:
        reached.append((command, arguments))
        if arguments.get("to") == "nowhere":
            raise CommandError("no link nowhere")
        return "done"

    monkeypatch.setattr(driving, "ask", ask)
    return reached


def test_commands_reach_the_lab_with_the_token_alone(asked: list[Any]) -> None:
    token = Token()
    drive = Driving(Path("unused"), token)

    def answer(**request: Any) -> dict[str, Any]:
        return asyncio.run(drive.answer(json.dumps(request)))

    move = {"node": "mn", "to": "home"}
    right = {"id": 1, "token": token.text, "command": "move", "arguments": move}
    assert answer(**right) == {"kind": "answer", "id": 1, "ok": True, "result": "done"}
    assert answer(id=2, token=token.text, command="hello") == {"kind": "answer", "id": 2, "ok": True, "result": None}
    assert asked == [("move", move)]
    for wrong in (
        {**right, "token": "x"},
        {key: value for key, value in right.items() if key != "token"},
        {**right, "command": "look"},
        {**right, "command": None},
        {**right, "command": ["move"]},
        {**right, "arguments": {**move, "within": 1}},
        {**right, "arguments": {**move, "command": "kill"}},
        {**right, "arguments": ["mn"]},
        {**right, "id": {}},
    ):
        refused = answer(**wrong)
        assert refused["ok"] is False, wrong
        assert refused["error"]
    assert len(asked) == 1
    assert answer(**{**right, "arguments": {"node": "mn", "to": "nowhere"}})["error"] == "no link nowhere"


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "[" * 100_000, '"move"', "null"])
def test_what_is_no_command_is_answered(asked: list[Any], text: str) -> None:
    answer = asyncio.run(Driving(Path("unused"), Token()).answer(text))
    assert answer["ok"] is False
    assert answer["error"]
    assert asked == []


def test_no_command_only_looks() -> None:
    assert ARGUMENTS.keys().isdisjoint({"network", "look", "bindings"})


@pytest.mark.parametrize("where", ["", "6275", "localhost:6275", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1"])
def test_where_to_listen_must_be_an_address_and_a_port(where: str) -> None:
    with pytest.raises(ConfigError, match="write ADDRESS:PORT"):
        listen(where)


def test_a_port_in_use_is_told() -> None:
    with listen("127.0.0.1:0") as first:
        port = first.getsockname()[1]
        with pytest.raises(ConfigError, match="choose another port"):
            listen(f"127.0.0.1:{port}")
