"""Moving a mobile node from link to link, as a radio would: with a moment without carrier, or without."""

import contextlib
import time

from lab.daemon.control import Conversation
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
            netlink.set_link(peer, master=to.index, mtu=to.spec.mtu)
            impair(node.namespace.netlink, plug.index, to.impairment)
            time.sleep(max(back - time.monotonic(), 0.0))
            netlink.set_link(peer, up=True)
        node.link_name = to.name
        if link_layer is not None:
            link_layer.ask("hint", interface=plug.interface)
    context.collector.report(MoveDone(mobile_node=node.name, link=to.name))
