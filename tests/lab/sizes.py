"""Packets of every size from one node to another, as a program of its own: which came back, and which were refused.

It is called with the address to send from, or `::`, the one to send to, what to send (`udp` or `icmpv6`), whether
packets may be fragmented (`whole` or `pieces`), and the first and last size in octets, headers of IPv6 included. It
prints JSON: sizes by what became of them, and the path MTU. A packet that is neither answered nor refused is sent
again, since the first one of those that are too big ends on the way, which its sender is told of (RFC 8201 §4).
"""

import errno
import json
import os
import socket
import struct
import sys

IPV6_MTU_DISCOVER, PMTUDISC_WANT, PMTUDISC_DO, IPV6_MTU = 23, 1, 2, 24
HEADERS = 48
ATTEMPTS, PATIENCE = 10, 0.3
ECHO_REQUEST, ECHO_REPLY = 128, 129
PORT = 7
ANY = "::"
"""An address to send from: the kernel chooses one for each packet."""


def outlet(source: str, to: str, what: str, way: str) -> socket.socket:
    """Open what packets are sent by, and answers come by."""
    if what == "udp":
        made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    else:
        made = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    made.setsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO if way == "whole" else PMTUDISC_WANT)
    if source != ANY:
        made.bind((source, 0))
        made.connect((to, PORT))
    made.settimeout(PATIENCE)
    return made


def payload(what: str, size: int, attempt: int) -> bytes:
    """Make a payload whose answer cannot be taken for another."""
    body = struct.pack(">HH", size, attempt) + bytes(size % 251 for _ in range(size - HEADERS - 4))
    if what == "udp":
        return body
    return struct.pack(">BBHHH", ECHO_REQUEST, 0, 0, os.getpid() & 0xFFFF, size)[: HEADERS - 40] + body


def comes_back(made: socket.socket, what: str, sent: bytes) -> bool:
    """Wait for the answer to what was sent; raises OSError for an error about it."""
    while True:
        try:
            answer = made.recv(1 << 16)
        except TimeoutError:
            return False
        if what == "udp" and answer == sent:
            return True
        if what != "udp" and answer[0] == ECHO_REPLY and answer[4:] == sent[4:]:
            return True


def outcome(made: socket.socket, to: str, what: str, way: str, size: int) -> str:
    """Tell what becomes of packets of a size: `answered`, `told` that they are too big, `lost`."""
    for attempt in range(ATTEMPTS):
        sent = payload(what, size, attempt)
        try:
            made.sendto(sent, (to, PORT if what == "udp" else 0))
            if comes_back(made, what, sent):
                return "answered"
        except OSError as error:
            fits = made.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)
            if way == "whole" and error.errno == errno.EMSGSIZE and fits < size:
                return "told"
    return "lost"


def main(source: str, to: str, what: str, way: str, first: str, last: str) -> None:
    """Send, and say what became of it."""
    made = outlet(source, to, what, way)
    found: dict[str, list[int]] = {}
    for size in range(int(last), int(first) - 1, -1):  # so that what is too big is found out at once
        found.setdefault(outcome(made, to, what, way, size), []).append(size)
    if source != ANY:
        found["mtu"] = [made.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU)]
    print(json.dumps(found))


def answer() -> None:
    """Send datagrams back as they come, in pieces if they must be."""
    made = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    made.setsockopt(socket.IPPROTO_IPV6, 49, 1)  # IPV6_RECVPKTINFO: answers come from the address that was asked
    made.bind(("::", PORT))
    print("ready", flush=True)
    while True:
        octets, ancillary, _, sender = made.recvmsg(1 << 16, 256)
        told = [(level, kind, data[:16] + bytes(4)) for level, kind, data in ancillary]
        try:
            made.sendmsg([octets], told, 0, sender)
        except OSError as error:
            print(error, file=sys.stderr, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["answer"]:
        answer()
    else:
        main(*sys.argv[1:])
