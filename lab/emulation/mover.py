"""Moving a mobile node from link to link, as a radio would: with a moment without carrier, or without."""

import contextlib
import socket
import time
from typing import Self

from lab.daemon.control import Conversation
from lab.emulation import ethtool
from lab.emulation.impairment import impair
from lab.emulation.node import LabBridge, LabNode
from lab.emulation.process import hastened
from lab.emulation.spec import Kind
from lab.errors import TopologyError
from lab.events import MoveBegan, MoveDone

SHORTEST_OUTAGE = 0.002
"""Seconds; the kernel coalesces a shorter loss of carrier and nobody sees it."""


def move(node: LabNode, to: LabBridge, *, outage: float | None, hint: bool) -> None:
    """Unplug a mobile node and plug it into another link.

    With an `outage` in seconds its carrier is gone for that long; None changes the link without a sign. With
    `hint` the link layer tells the node's daemon afterwards (RFC 6275 §11.5.1). Raises `TopologyError`.
    """
    if node.spec.kind is not Kind.MOBILE_NODE:
        raise TopologyError(f"{node.name} is a {node.spec.kind}; only mobile nodes move")
    plug, context = node.spec.plugs[0], node.context
    netlink, peer = context.links.netlink, plug.peer_index
    with contextlib.ExitStack() as moving:
        # Whoever knows of the link layer is connected to the daemon already.
        link_layer = moving.enter_context(Conversation(node.control_path)) if hint else None
        carrier = moving.enter_context(_Carrier(node, plug.interface))
        moving.enter_context(hastened())
        context.collector.report(
            MoveBegan(mobile_node=node.name, from_link=node.link_name, to_link=to.name, outage=outage)
        )
        if outage is None:
            netlink.set_link(peer, master=to.index, mtu=to.spec.mtu)
            impair(node.namespace.netlink, plug.index, to.impairment)
        else:
            back = time.monotonic() + max(outage, SHORTEST_OUTAGE)
            netlink.set_link(peer, up=False)
            carrier.tell()
            netlink.set_link(peer, master=to.index, mtu=to.spec.mtu)
            impair(node.namespace.netlink, plug.index, to.impairment)
            time.sleep(max(back - time.monotonic(), 0.0))
            netlink.set_link(peer, up=True)
            carrier.tell()
        node.link_name = to.name
        if link_layer is not None:
            link_layer.ask("hint", interface=plug.interface)
    context.collector.report(MoveDone(mobile_node=node.name, link=to.name))


class _Carrier:
    """The carrier of both ends of a pair, whose changes the kernel tells when it has time, or when somebody asks.

    Where the processor is busy, that time may come after the whole outage, and nobody hears of it.
    """

    def __init__(self, node: LabNode, interface: str) -> None:
        self._interface = interface
        # The bridge's end first: its port forwards as soon as that has carrier, and is to take what the node sends.
        self._ends = [
            namespace.run(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            for namespace in (node.context.links, node.namespace)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for end in self._ends:
            end.close()

    def tell(self) -> None:
        """Have a change told at once to whoever watches, the bridge and the node."""
        for end in self._ends:
            with contextlib.suppress(OSError):  # then it is told later
                ethtool.ask(end, self._interface, ethtool.CARRIER)
