"""An open connection to one machine, and commands over there that end when we go."""

import contextlib
import logging
import math
import shlex
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from fabric import Connection
from paramiko import (
    AuthenticationException,
    AutoAddPolicy,
    BadHostKeyException,
    Channel,
    PasswordRequiredException,
    SSHException,
    Transport,
)
from paramiko.ssh_exception import NoValidConnectionsError

from lab.errors import RemoteError
from lab.remote import vagrant
from lab.remote.host_keys import HostKeys, UnknownHostKeyError
from lab.remote.machines import Machine, SshHost, VagrantMachine

KEEPALIVE = 10
"""Seconds between signs of life."""
BROKEN_AFTER = 30.0
"""Seconds without an answer of the network, after which a connection is broken."""
PATIENCE = 15.0
"""Seconds that a command over there has to end in order; after ten, it is killed there."""
_TICK = 0.5

# Standard input is the lifeline: nothing is ever sent on it, and its end, which a broken connection is as well, ends
# the command with all that it started. What sudo started needs sudo for that.
_END_WITH_US = """
cd "$1" || exit 126
shift
exec 3<&0
setsid "$@" </dev/null 3<&- &
command=$!
end() { kill -s "$1" -- "-$command" || sudo -n kill -s "$1" -- "-$command"; }
{ read -r _ <&3; end TERM; sleep 10; end KILL; } >/dev/null 2>&1 &
lifeline=$!
wait "$command"
status=$?
kill "$lifeline"
exit "$status"
"""

logging.getLogger("paramiko").addHandler(logging.NullHandler())  # what goes wrong is told by errors

Sink = Callable[[bytes], object]


class TookTooLongError(RemoteError):
    """A command was not finished in time; it is ended, and the connection can be used on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How machines are reached."""

    known_hosts: Path
    accept_new: bool = False
    """Whether the key of a host that is new is taken, and written down."""
    patience: float = 10.0
    """Seconds that a machine has to answer."""


class Session:
    """An open connection to one machine; as a context manager it closes."""

    def __init__(self, machine: Machine, access: Access) -> None:
        """Connect; raises `RemoteError`."""
        self.machine = machine
        self._connection = _connect(machine, access)
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @property
    def transport(self) -> Transport:
        """What carries all channels of the connection."""
        return self._connection.transport

    def end(self) -> None:
        """Have the command over there end, from any thread; whoever waits for it goes on soon."""
        self._ended = True

    def run(
        self,
        words: Sequence[str],
        *,
        said: Sink,
        complained: Sink | None = None,
        folder: str | None = None,
        within: float | None = None,
    ) -> int:
        """Run a command in a folder (the checkout) until its end, which is ours at the latest; give its exit status.

        `complained` gets its standard error; without it that goes where standard output goes. Raises
        `TookTooLongError` after `within` seconds, `RemoteError` if it is ended by `end` or the connection breaks.
        """
        folder = self.machine.folder if folder is None else folder
        command = ["sh", "-c", _END_WITH_US, "mip6lab", folder, *words]
        with self._channel(shlex.join(command), together=complained is None) as channel:
            beside = None
            if complained is not None:
                beside = threading.Thread(target=_pour, args=(channel.recv_stderr, complained), daemon=True)
                beside.start()
            self._follow(channel, said, within)
            if beside is not None:
                beside.join(PATIENCE)
            return _status(channel)

    def ask(self, command: str, given: bytes = b"") -> str:
        """Run a line of shell that takes no time, with `given` as its standard input; give what it says, as one line.

        Raises `RemoteError` if its exit status is not 0.
        """
        said = bytearray()
        with self._channel(command, together=True) as channel:
            channel.settimeout(BROKEN_AFTER)
            with _told(), contextlib.suppress(OSError):  # a command need not take what it is given
                channel.sendall(given)
                channel.shutdown_write()
            self._follow(channel, said.extend, None)
            status = _status(channel)
        text = " ".join(printable(line) for line in said.decode(errors="replace").splitlines())
        if status != 0:
            raise RemoteError(text or f"status {status} of {command}")
        return text

    @contextlib.contextmanager
    def reading(self, command: str) -> Iterator[BinaryIO]:
        """Open the standard output of a line of shell as a file; reading raises `OSError` if nothing comes for long."""
        with self._channel(command, together=False) as channel:
            channel.settimeout(BROKEN_AFTER)
            yield cast("BinaryIO", channel.makefile("rb"))

    @contextlib.contextmanager
    def _channel(self, command: str, *, together: bool) -> Iterator[Channel]:
        with _told():
            channel = self.transport.open_session(timeout=BROKEN_AFTER)
        with channel:
            channel.set_combine_stderr(together)
            with _told():
                channel.exec_command(command)
            yield channel

    def _follow(self, channel: Channel, said: Sink, within: float | None) -> None:
        """Pass on what comes until the end of the command; one that is asked to end gets some time for it."""
        channel.settimeout(_TICK)
        late = math.inf if within is None else time.monotonic() + within
        given_up = math.inf
        while (now := time.monotonic()) < given_up:
            if given_up == math.inf and (self._ended or now > late):
                given_up = now + PATIENCE
                with contextlib.suppress(OSError):
                    channel.shutdown_write()
            with contextlib.suppress(TimeoutError):
                octets = channel.recv(1 << 16)
                if not octets:
                    break
                said(octets)
        if self._ended:
            raise RemoteError("ended")
        if given_up < math.inf:
            raise TookTooLongError(f"not finished within {within:g} s, and ended")


def printable(text: str) -> str:
    """Leave out of what a machine says whatever would have a terminal do something."""
    return "".join(character if character.isprintable() else " " for character in text)


class Lines:
    """Cuts what comes in pieces into lines."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say, self._rest = say, b""
        self.last = ""
        """The last line that was not empty."""

    def __call__(self, octets: bytes) -> None:
        """Take a piece; say each line that it ends."""
        *lines, self._rest = (self._rest + octets).split(b"\n")
        for line in lines:
            self._tell(line)

    def close(self) -> None:
        """Say what came without an end."""
        if self._rest:
            self._tell(self._rest)
            self._rest = b""

    def _tell(self, line: bytes) -> None:
        text = printable(line.decode(errors="replace").rstrip("\r").expandtabs())
        self.last = text.strip() or self.last
        self._say(text)


def _connect(machine: Machine, access: Access) -> Connection:
    """Open a connection; raises `RemoteError`."""
    match machine.place:
        case VagrantMachine() as of_vagrant:
            place = vagrant.locate(of_vagrant)
        case SshHost() as place:
            pass
    with _explained(place, access):
        connection = Connection(
            place.host,
            user=place.user,
            port=place.port,
            connect_timeout=max(1, round(access.patience)),
            connect_kwargs={
                "banner_timeout": access.patience,
                "auth_timeout": access.patience,
                **({"key_filename": [str(place.key)], "look_for_keys": False} if place.key else {}),
            },
        )
        keys = HostKeys(access.known_hosts, accept_new=access.accept_new)
        hop = connection
        while isinstance(hop, Connection):  # Fabric itself would take any key, on the way there as well
            if isinstance(machine.place, VagrantMachine):
                hop.client.set_missing_host_key_policy(AutoAddPolicy())  # made here, with a key that nobody knows
            else:
                keys.guard(hop.client)
            hop = hop.gateway
        try:
            connection.open()
        except BaseException:
            connection.client.close()  # who was not let in has no connection, but a thread
            raise
    connection.transport.set_keepalive(KEEPALIVE)
    with contextlib.suppress(AttributeError, OSError):  # by a gateway it is no socket
        milliseconds = round(BROKEN_AFTER * 1000)
        connection.transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    return connection


@contextlib.contextmanager
def _explained(place: SshHost, access: Access) -> Iterator[None]:
    """Turn what can go wrong with a connection into a `RemoteError` that says what to do."""
    try:
        yield
    except UnknownHostKeyError as error:
        raise RemoteError(
            f"the key of {place} is not in {access.known_hosts}: {error}; if that is its key, use --accept-new"
        ) from error
    except BadHostKeyException as error:
        raise RemoteError(
            f"the key of {place} is another one than in {access.known_hosts}; if it was set up anew, "
            f"ssh-keygen -R '{error.hostname}' forgets the old one"
        ) from error
    except PasswordRequiredException as error:
        raise RemoteError(f"the key for {place} is locked: add it to your agent by ssh-add") from error
    except AuthenticationException as error:
        raise RemoteError(f"{place} does not take your key; ssh-copy-id brings it there") from error
    except NoValidConnectionsError as error:
        raise RemoteError(f"nothing listens at {place}") from error
    except TimeoutError as error:
        raise RemoteError(f"{place} does not answer within {access.patience:g} s") from error
    except socket.gaierror as error:
        raise RemoteError(f"{place}: nobody knows this name") from error
    except (SSHException, EOFError, OSError) as error:
        raise RemoteError(f"{place}: {str(error) or type(error).__name__}") from error


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn a connection that broke into a `RemoteError`."""
    try:
        yield
    except (SSHException, EOFError) as error:
        raise RemoteError(f"the connection broke: {error}") from error


def _pour(receive: Callable[[int], Any], sink: Sink) -> None:
    """Pass on what comes by a channel's other stream."""
    while True:
        try:
            octets = receive(1 << 16)
        except TimeoutError:
            continue
        if not octets:
            return
        sink(octets)


def _status(channel: Channel) -> int:
    """Give the exit status; raises `RemoteError` if the connection ended before the command did."""
    if not channel.status_event.wait(PATIENCE) or channel.exit_status == -1:
        raise RemoteError("the connection broke before the command came to its end")
    return int(channel.exit_status)
