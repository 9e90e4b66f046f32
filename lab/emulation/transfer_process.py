"""One end of a TCP transfer; a script of its own like `stream_process`.

`send DESTINATION PORT OCTETS FILE RATE` (octets per second) or `receive ADDRESS PORT OCTETS FILE`: prints `ready`,
transfers, then writes one line to its log: octets, SHA-256 and seconds.
"""

import hashlib
import random
import socket
import sys
import time
from collections.abc import Iterator

_BLOCK = 1 << 16
_IPV6_FREEBIND = 78
_SO_MAX_PACING_RATE = 47
_CONNECT_WITHIN = 10.0


def blocks(octets: int) -> Iterator[bytes]:
    """Make the same octets on every call, all blocks different."""
    source = random.Random(octets)
    while octets > 0:
        block = source.randbytes(min(_BLOCK, octets))
        octets -= len(block)
        yield block


def send(destination: str, port: int, octets: int, path: str, rate: int) -> None:
    """Connect and send, at most so many octets a second."""
    print("ready", flush=True)
    digest = hashlib.sha256()
    with socket.create_connection((destination, port), timeout=_CONNECT_WITHIN) as connection:
        connection.settimeout(None)
        connection.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, rate)
        began = time.monotonic()
        for block in blocks(octets):
            digest.update(block)
            connection.sendall(block)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # the other end closes when it has everything
    _write(path, octets, digest.hexdigest(), time.monotonic() - began)


def receive(address: str, port: int, octets: int, path: str) -> None:
    """Take one connection and all that comes by it."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(1)
        print("ready", flush=True)
        connection, _ = listener.accept()
    digest, count, began = hashlib.sha256(), 0, time.monotonic()
    with connection:
        while count < octets and (block := connection.recv(_BLOCK)):
            digest.update(block)
            count += len(block)
        _write(path, count, digest.hexdigest(), time.monotonic() - began)


def _write(path: str, octets: int, digest: str, seconds: float) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(f"{octets} {digest} {seconds:.3f}\n")


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], int(sys.argv[6]))
    else:
        receive(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5])
