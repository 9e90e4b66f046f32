"""One end of a stream of numbered UDP packets; a script of its own so that it starts fast and runs undisturbed.

`send DESTINATION PORT SECONDS OCTETS FILE` or `receive ADDRESS PORT FILE`: prints `ready`, works until SIGTERM, then
writes its log, one line per packet: `sequence sent` or `sequence sent received`, in seconds since the epoch. A last
word names the interface on which a multicast group is sent to or joined.
"""

import contextlib
import errno
import select
import signal
import socket
import struct
import sys
import time
from types import FrameType

_PAYLOAD = struct.Struct("!Qd")
_SO_TIMESTAMPNS = 35
_IPV6_FREEBIND = 78
_SILENCE = 0.2
"""Seconds without a packet after which a receiver that is told to end is sure that all arrived."""

_AT_MOST = 2.0
"""Seconds after which it ends even so."""

_GROUP_HOPS = 16
"""The kernel's own choice is 1, which no router forwards."""

_ending = False


def _end(_number: int, _frame: FrameType | None) -> None:
    global _ending  # noqa: PLW0603 - a signal handler has no other way
    _ending = True


def send(destination: str, port: int, every: float, size: int, path: str, interface: str = "") -> None:
    """Send a numbered packet of so many octets every so many seconds, by an absolute schedule."""
    padding = bytes(max(size - _PAYLOAD.size, 0))
    outlet = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    outlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, _GROUP_HOPS)
    if interface:
        outlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(interface))
    log: list[tuple[int, float]] = []
    print("ready", flush=True)
    began = time.monotonic()
    while not _ending:
        sequence = len(log)
        wait = began + sequence * every - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        now = time.time()
        log.append((sequence, now))
        with contextlib.suppress(OSError):  # no route for the moment: lost, like any other packet
            outlet.sendto(_PAYLOAD.pack(sequence, now) + padding, (destination, port))
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{sequence} {sent:.6f}\n" for sequence, sent in log)


def receive(address: str, port: int, path: str, interface: str = "") -> None:
    """Receive packets with the kernel's time stamps."""
    inlet = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    inlet.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    inlet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    inlet.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
    scope = socket.if_nametoindex(interface) if interface else 0
    if scope:
        request = socket.inet_pton(socket.AF_INET6, address) + struct.pack("=I", scope)
        inlet.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    inlet.bind((address, port, 0, scope if address.startswith("ff02:") else 0))
    log: list[tuple[int, float, float]] = []
    ended = float("inf")
    print("ready", flush=True)
    while True:
        readable, _, _ = select.select([inlet], [], [], _SILENCE)
        if _ending and ended == float("inf"):
            ended = time.monotonic()
        if not readable:
            if _ending:
                break
            continue
        if time.monotonic() - ended > _AT_MOST:
            break
        try:
            octets, ancillary, _, _ = inlet.recvmsg(2048, 64)
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            raise
        if len(octets) < _PAYLOAD.size or not ancillary:
            continue
        sequence, sent = _PAYLOAD.unpack_from(octets)
        seconds, nanoseconds = struct.unpack_from("=qq", ancillary[0][2])
        log.append((sequence, sent, seconds + nanoseconds / 1e9))
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{sequence} {sent:.6f} {received:.6f}\n" for sequence, sent, received in log)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.argv[1] == "send":
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]), *sys.argv[6:])
    else:
        receive(sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
