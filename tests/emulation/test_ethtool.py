"""Changes of carrier are told when somebody asks for the carrier, not when the kernel has time."""

import platform
import re
import socket

import pytest

from lab.emulation import ethtool
from lab.emulation.namespace import Namespace
from lab.netlink import RTM_NEWLINK, link_of, messages

TELLS_WHEN_ASKED = (6, 8)
"""The first kernel that does."""
LINKS = 1
"""The group of rtnetlink that is told of interfaces."""


def watching() -> socket.socket:
    watcher = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
    watcher.bind((0, LINKS))
    return watcher


def told(watcher: socket.socket, name: str) -> list[bool]:
    """Read what was told of the carrier of an interface."""
    carriers: list[bool] = []
    while True:
        try:
            octets = watcher.recv(1 << 17)
        except BlockingIOError:
            return carriers
        links = [link_of(message) for kind, _, message in messages(octets) if kind == RTM_NEWLINK]
        carriers += [link.carrier for link in links if link.name == name]


@pytest.mark.privileged
def test_whoever_watches_has_heard_of_a_change_when_the_answer_is_there() -> None:
    if tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < TELLS_WHEN_ASKED:
        pytest.skip(f"Linux {platform.release()} tells when it has time, whoever asks")
    namespace = Namespace()
    asking = namespace.run(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    watcher = namespace.run(watching)
    try:
        namespace.netlink.create_veth("near", "far", index=10, peer_index=1000)
        for index in (10, 1000):
            namespace.netlink.set_link(index, up=True)
        for up in [False, True] * 20:
            told(watcher, "near")
            namespace.netlink.set_link(1000, up=up)
            assert ethtool.ask(asking, "near", ethtool.CARRIER) == up
            assert told(watcher, "near")[-1:] == [up]
    finally:
        watcher.close()
        asking.close()
        namespace.close()
