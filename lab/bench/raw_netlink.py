"""The same star of hosts as `bringup` in as few system calls as there can be: the floor for whoever makes namespaces.

Nothing of ours is in it: messages are packed by `struct`, the kernel is asked for no acknowledgement, and one thread
goes through all namespaces.
"""

import ctypes
import errno
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path

CLONE_NEWNET = 0x40000000
RTM_NEWLINK, RTM_NEWADDR = 16, 20
REQUEST, CREATE = 0x1, 0x1 | 0x400 | 0x200
IFF_UP = 1
IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 3, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFLA_BR_FORWARD_DELAY, IFLA_BR_STP_STATE, IFLA_BR_MCAST_SNOOPING = 1, 5, 23
IFA_ADDRESS, IFA_F_NODAD = 1, 0x02
BRIDGE, FIRST_PORT, LOOPBACK, ETHERNET = 2, 1000, 1, 10
NETWORK = IPv6Address("2001:db8:1::")
AT_ONCE = 32
"""Pairs of interfaces in one system call."""

_libc = ctypes.CDLL(None, use_errno=True)


class RawStar:
    """Hosts on a bridge, each in a namespace; namespaces and sockets inside them are all there is."""

    def __init__(self, hosts: int) -> None:
        self._hosts = hosts
        self._namespaces: list[int] = []
        self._sockets: list[socket.socket] = []

    def start(self) -> None:
        """Bring everything up; raises OSError."""
        _in_thread(self._start)

    def check(self) -> None:
        """Look whether the last host reaches the first; raises `subprocess.CalledProcessError`."""

        def ping() -> None:
            _libc.setns(self._namespaces[-1], CLONE_NEWNET)
            command = ["ping", "-c", "1", "-W", "5", str(_address(1))]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

        _in_thread(ping)

    def stop(self) -> None:
        """Let everything go."""
        for conversation in self._sockets:
            conversation.close()
        for namespace in self._namespaces:
            os.close(namespace)

    def _start(self) -> None:
        links = self._enter_new()
        for scope in ("all", "default"):
            Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1", encoding="ascii")
        _send(links, _bridge("s1"), _up(BRIDGE))
        hosts = [self._enter_new() for _ in range(self._hosts)]
        pairs = [
            _veth(f"h{number}", FIRST_PORT + number, self._namespaces[number])
            + _up(FIRST_PORT + number, _attribute(IFLA_MASTER, struct.pack("=I", BRIDGE)))
            for number in range(1, self._hosts + 1)
        ]
        for first in range(0, len(pairs), AT_ONCE):
            _send(links, *pairs[first : first + AT_ONCE])
        for number, host in enumerate(hosts, 1):
            _send(host, _up(LOOPBACK), _up(ETHERNET), _new_address(ETHERNET, _address(number)))

    def _enter_new(self) -> socket.socket:
        if _libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        self._namespaces.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        conversation = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._sockets.append(conversation)
        return conversation


def _address(number: int) -> IPv6Address:
    return NETWORK + 1 + number


def _send(conversation: socket.socket, *messages: bytes) -> None:
    """Send messages at once; the kernel has done all when this returns, and answers only what it refuses."""
    conversation.send(b"".join(messages))
    try:
        answer = conversation.recv(1 << 12, socket.MSG_DONTWAIT)
    except BlockingIOError:
        return
    code = -struct.unpack_from("=i", answer, 16)[0]
    raise OSError(code, f"netlink: {os.strerror(code)} ({errno.errorcode.get(code)})")


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, 0, 0) + body


def _link(index: int, *, up: bool = False) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, IFF_UP * up, IFF_UP * up)


def _up(index: int, attributes: bytes = b"") -> bytes:
    return _message(RTM_NEWLINK, REQUEST, _link(index, up=True) + attributes)


def _bridge(name: str) -> bytes:
    data = (
        _attribute(IFLA_BR_FORWARD_DELAY, struct.pack("=I", 0))
        + _attribute(IFLA_BR_STP_STATE, struct.pack("=I", 0))
        + _attribute(IFLA_BR_MCAST_SNOOPING, b"\0")
    )
    return _new_link(name, BRIDGE, "bridge", data)


def _veth(name: str, index: int, namespace: int) -> bytes:
    peer = _link(ETHERNET) + _name("eth0") + _attribute(IFLA_NET_NS_FD, struct.pack("=I", namespace))
    return _new_link(name, index, "veth", _attribute(VETH_INFO_PEER, peer))


def _new_link(name: str, index: int, kind: str, data: bytes) -> bytes:
    info = _attribute(IFLA_INFO_KIND, kind.encode()) + _attribute(IFLA_INFO_DATA, data)
    return _message(RTM_NEWLINK, CREATE, _link(index) + _name(name) + _attribute(IFLA_LINKINFO, info))


def _name(name: str) -> bytes:
    return _attribute(IFLA_IFNAME, name.encode() + b"\0")


def _new_address(index: int, address: IPv6Address) -> bytes:
    body = struct.pack("=BBBBI", socket.AF_INET6, 64, IFA_F_NODAD, 0, index)
    return _message(RTM_NEWADDR, CREATE, body + _attribute(IFA_ADDRESS, address.packed))


def _in_thread(function: Callable[[], None]) -> None:
    """Call in a thread of its own, whose namespace is left behind with it."""
    errors: list[Exception] = []

    def body() -> None:
        try:
            function()
        except Exception as error:  # raised again below
            errors.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
