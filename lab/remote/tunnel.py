"""A port of this machine's loopback that leads to one over there."""

import contextlib
import errno
import socket
import socketserver
import threading
from collections.abc import Iterator

from paramiko import Channel, SSHException

from lab.errors import RemoteError
from lab.remote.session import Session

LOOPBACK = "127.0.0.1"


class _Tunnel(socketserver.ThreadingTCPServer):
    """Listens here; each connection gets a channel of the session."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, session: Session, here: int, there: int) -> None:
        self.session, self.there = session, there
        super().__init__((LOOPBACK, here), _Visit)

    def handle_error(self, request: object, client_address: object) -> None:
        """Let whoever came see a closed connection: nobody listens over there, perhaps not yet."""


class _Visit(socketserver.BaseRequestHandler):
    """One connection, until either side has had enough."""

    server: _Tunnel

    def handle(self) -> None:
        """Carry octets both ways."""
        address = (LOOPBACK, self.server.there)
        with self.server.session.transport.open_channel("direct-tcpip", address, self.client_address) as channel:
            there = threading.Thread(target=_carry, args=(self.request, channel), daemon=True)
            there.start()
            _carry(channel, self.request)
            there.join()


def _carry(source: "socket.socket | Channel", target: "socket.socket | Channel") -> None:
    with contextlib.suppress(OSError, SSHException):
        while octets := source.recv(1 << 15):
            target.sendall(octets)
    with contextlib.suppress(OSError, SSHException):
        target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def tunnel(session: Session, *, here: int, there: int) -> Iterator[int]:
    """Hold a port of loopback open for the block; give its number, which for 0 is one that is free.

    Raises `RemoteError` if the port is taken.
    """
    try:
        server = _Tunnel(session, here, there)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise RemoteError(f"port {here} of this machine cannot be had: {error.strerror}; try --port") from error
        raise
    with server:
        thread = threading.Thread(target=server.serve_forever, name="tunnel", daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
