"""The control socket: whatever a client sends, it gets a clear answer, and all others are served on."""

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.daemon.control import LONGEST_LINE, VERSION, CommandError, Control, Conversation, ask
from lab.errors import ConfigError, PlaneError

WITHIN = 10.0
PING = b'{"v": 1, "command": "ping"}\n'


def refuse(_: Mapping[str, Any]) -> None:
    raise PlaneError("no such interface")


def fail(_: Mapping[str, Any]) -> None:
    raise RuntimeError("a fault")


COMMANDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "ping": lambda _: "pong",
    "echo": lambda request: request.get("what"),
    "refuse": refuse,
    "fail": fail,
    "unspeakable": lambda _: object(),
}


class Client:
    """One connection to the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, path: Path) -> "Client":
        return cls(*await asyncio.open_unix_connection(path))

    async def send(self, octets: bytes) -> None:
        self.writer.write(octets)
        await self.writer.drain()

    async def answer(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(await self.reader.readline())
        assert answer["v"] == VERSION
        return answer

    async def ask(self, octets: bytes) -> dict[str, Any]:
        await self.send(octets)
        return await self.answer()

    async def error(self, octets: bytes) -> str:
        answer = await self.ask(octets)
        assert answer["ok"] is False
        assert set(answer) == {"v", "ok", "error"}
        return str(answer["error"])

    async def is_served(self) -> bool:
        return await self.ask(PING) == {"v": VERSION, "ok": True, "result": "pong"}


def serving(path: Path, body: Callable[[Path], Awaitable[None]]) -> None:
    """Run a body while a control socket is served; no failure of a connection may have gone unhandled."""
    unhandled: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        control = Control(path, COMMANDS)
        await control.start()
        try:
            await asyncio.wait_for(body(path), WITHIN)
        finally:
            await control.close()
        assert not path.exists()

    asyncio.run(run())
    assert unhandled == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.sock"


def test_one_line_in_one_line_out(path: Path) -> None:
    async def body(path: Path) -> None:
        client = await Client.connect(path)
        for _ in range(3):
            assert await client.is_served()
        assert (await client.ask(b'{"v": 1, "command": "echo", "what": [1, "a", null]}\n'))["result"] == [1, "a", None]

    serving(path, body)


def test_several_commands_may_come_at_once_and_in_pieces(path: Path) -> None:
    async def body(path: Path) -> None:
        client = await Client.connect(path)
        await client.send(PING + PING + PING[:10])
        assert [(await client.answer())["result"] for _ in range(2)] == ["pong", "pong"]
        assert (await client.ask(PING[10:]))["result"] == "pong"

    serving(path, body)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(b"bindings", "not a JSON line: Expecting value", id="word"),
        pytest.param(b"", "not a JSON line: Expecting value", id="empty"),
        pytest.param(b'{"v": 1, "command"', "not a JSON line: ", id="open object"),
        pytest.param(b"\xff\xfe", "not a JSON line: ", id="no text"),
        pytest.param(b"[" * 60000, "not a JSON line: ", id="endless nesting"),
        pytest.param(b'{"v": 1, "command": ' + b"9" * 5000 + b"}", "not a JSON line: ", id="endless number"),
        pytest.param(b'["ping"]', 'a command is an object with "v": 1 and "command"', id="no object"),
        pytest.param(b"null", 'a command is an object with "v": 1 and "command"', id="nothing"),
        pytest.param(b'{"command": "ping"}', 'a command is an object with "v": 1 and "command"', id="no version"),
        pytest.param(b'{"v": 1}', 'a command is an object with "v": 1 and "command"', id="no command"),
        pytest.param(
            b'{"v": 2, "command": "ping"}', "version 2 is not spoken here; this node speaks version 1", id="2"
        ),
        pytest.param(b'{"v": "1", "command": "ping"}', "version '1' is not spoken here", id="text as version"),
        pytest.param(b'{"v": 1, "command": "move"}', "unknown command 'move'; known: echo, fail, ping, ", id="unknown"),
        pytest.param(b'{"v": 1, "command": ["ping"]}', "unknown command ['ping']; known: ", id="list as command"),
        pytest.param(b'{"v": 1, "command": "refuse"}', "no such interface", id="refused"),
        pytest.param(b'{"v": 1, "command": "fail"}', "internal error: RuntimeError('a fault')", id="fault"),
        pytest.param(b'{"v": 1, "command": "unspeakable"}', "internal error: TypeError(", id="no JSON"),
    ],
)
def test_what_cannot_be_answered_is_told_and_the_connection_stays(path: Path, line: bytes, said: str) -> None:
    async def body(path: Path) -> None:
        client = await Client.connect(path)
        assert (await client.error(line + b"\n")).startswith(said)
        assert await client.is_served()

    serving(path, body)


def test_the_longest_line_is_read_and_a_longer_one_ends_the_connection(path: Path) -> None:
    async def body(path: Path) -> None:
        bystander = await Client.connect(path)
        client = await Client.connect(path)
        assert await client.ask(PING.rstrip().ljust(LONGEST_LINE) + b"\n") == {"v": 1, "ok": True, "result": "pong"}
        assert await client.error(PING.rstrip().ljust(LONGEST_LINE + 1) + b"\n") == "a command has at most 65536 octets"
        assert await client.reader.read() == b""
        assert await bystander.is_served()

    serving(path, body)


def test_a_line_without_end_ends_its_connection_alone(path: Path) -> None:
    async def body(path: Path) -> None:
        bystander = await Client.connect(path)
        client = await Client.connect(path)
        with pytest.raises(ConnectionError):
            await client.send(b"x" * (1 << 24))
        assert await bystander.is_served()

    serving(path, body)


def test_half_a_line_and_no_more(path: Path) -> None:
    """Whoever only stops writing is still told what was wrong."""

    async def body(path: Path) -> None:
        client = await Client.connect(path)
        await client.send(PING[:12])
        client.writer.write_eof()
        assert (await client.answer())["error"].startswith("not a JSON line: ")
        assert await client.reader.read() == b""

    serving(path, body)


@pytest.mark.parametrize("octets", [b"", PING[:12], PING, PING * 1000], ids=["silence", "half", "one", "many"])
def test_a_client_that_leaves_disturbs_nobody(path: Path, octets: bytes) -> None:
    async def body(path: Path) -> None:
        bystander = await Client.connect(path)
        for _ in range(10):
            client = await Client.connect(path)
            client.writer.write(octets)
            client.writer.transport.abort()
        assert await bystander.is_served()

    serving(path, body)


def test_clients_do_not_wait_for_each_other(path: Path) -> None:
    async def body(path: Path) -> None:
        clients = [await Client.connect(path) for _ in range(20)]
        for client in clients[::2]:
            await client.send(PING[:12])  # these think about the rest
        for client in clients[1::2]:
            assert await client.is_served()
        for client in clients[::2]:
            assert (await client.ask(PING[12:]))["result"] == "pong"

    serving(path, body)


def test_clients_that_stay_do_not_hold_up_the_end(path: Path) -> None:
    clients: list[Client] = []

    async def body(path: Path) -> None:
        clients.append(await Client.connect(path))
        assert await clients[0].is_served()
        await clients[0].send(PING[:12])

    serving(path, body)


def test_a_client_that_comes_at_the_end_is_let_go(path: Path) -> None:
    async def body(path: Path) -> None:
        for _ in range(20):
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(path))
            late.append(client)
            await asyncio.sleep(0)

    late: list[socket.socket] = []
    serving(path, body)
    for client in late:
        assert client.recv(1) == b""
        client.close()


def test_a_client_that_does_not_read_does_not_hold_up_the_end(path: Path) -> None:
    async def body(path: Path) -> None:
        client.connect(str(path))
        client.setblocking(False)
        refusals = 0
        while refusals < 3:  # until both directions are full
            try:
                client.send(PING * 100)
                refusals = 0
            except BlockingIOError:
                refusals += 1
            await asyncio.sleep(0)
        assert await (await Client.connect(path)).is_served()

    with socket.socket(socket.AF_UNIX) as client:
        serving(path, body)


def test_only_the_owner_may_connect(path: Path) -> None:
    async def body(path: Path) -> None:
        assert path.stat().st_mode & 0o777 == 0o600

    serving(path, body)


def test_a_socket_that_a_crash_left_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def body(path: Path) -> None:
        assert await (await Client.connect(path)).is_served()

    serving(path, body)


def test_a_socket_in_use_is_left_alone(path: Path) -> None:
    async def body(path: Path) -> None:
        second = Control(path, COMMANDS)
        with pytest.raises(ConfigError, match=f"{path} is in use by a running node"):
            await second.start()
        await second.close()
        assert await (await Client.connect(path)).is_served()

    serving(path, body)


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(ConfigError, match=f"cannot listen on {path}: "):
        asyncio.run(Control(path, COMMANDS).start())
    assert path.read_text(encoding="utf-8") == "precious"


@pytest.mark.parametrize("where", ["missing/node.sock", "x" * 200], ids=["no folder", "too long"])
def test_a_path_that_cannot_be_is_named(tmp_path: Path, where: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot listen on {tmp_path / where}: "):
        asyncio.run(Control(tmp_path / where, COMMANDS).start())


# The asking side


def test_ask_gives_the_result_or_raises_the_error(path: Path) -> None:
    async def body(path: Path) -> None:
        assert await asyncio.to_thread(ask, path, "echo", what={"a": 1}) == {"a": 1}
        with pytest.raises(CommandError, match="no such interface"):
            await asyncio.to_thread(ask, path, "refuse")

    serving(path, body)


def test_a_client_asks_as_often_as_it_likes_even_after_a_refusal(path: Path) -> None:
    def converse() -> list[object]:
        with Conversation(path) as node:
            with pytest.raises(CommandError, match="no such interface"):
                node.ask("refuse")
            return [node.ask("echo", what=number) for number in range(3)]

    async def body(path: Path) -> None:
        assert await asyncio.to_thread(converse) == [0, 1, 2]

    serving(path, body)


def test_ask_names_the_path_of_a_node_that_is_not_there(path: Path) -> None:
    with pytest.raises(CommandError, match=f"^{path}: "):
        ask(path, "ping")
    with pytest.raises(CommandError, match="too long"):
        ask(path / ("x" * 200), "ping")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "the node closed the connection"),
        (b'{"v": 1, "ok": tr', "the node closed the connection"),
        (b"220 smtp ready\n", "what answers there is no node: b'220 smtp ready"),
        (b"[]\n", "what answers there is no node"),
        (b"{}\n", "what answers there is no node"),
        (b'{"ok": true}\n', "what answers there is no node"),
        (b"\xff\n", "what answers there is no node"),
    ],
)
def test_ask_is_not_confused_by_strangers(path: Path, answer: bytes, said: str) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def speak() -> None:
            stranger, _ = listener.accept()
            with stranger:
                stranger.recv(1 << 16)
                stranger.sendall(answer)

        thread = threading.Thread(target=speak)
        thread.start()
        with pytest.raises(CommandError, match=said):
            ask(path, "ping")
        thread.join()


def test_ask_does_not_wait_for_ever(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(CommandError, match="timed out"):
            ask(path, "ping", within=0.05)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.sampled_from([*COMMANDS]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["v", "command", "what"]), inner),
    max_leaves=6,
)


@given(st.lists(st.one_of(st.binary(max_size=60), _JSON.map(lambda value: json.dumps(value).encode())), max_size=8))
def test_every_line_gets_one_answer(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    lines = [line.replace(b"\n", b" ") for line in lines]

    async def body(path: Path) -> None:
        client = await Client.connect(path)
        for line in lines:
            answer = await client.ask(line + b"\n")
            assert answer["ok"] in (True, False)
        assert await client.is_served()

    serving(tmp_path_factory.getbasetemp() / "fuzz.sock", body)
