"""Links, addresses, routes and neighbours by rtnetlink: pyroute2's messages on a plain socket.

pyroute2 encodes and decodes; the socket is our own because a handover and a bring-up are counted in
milliseconds: no threads, no event loop, many requests in one system call.
"""
from __future__ import annotations


class Netlink:
    """A conversation with the kernel, in the network namespace of the thread that opens it.

    Every request raises `lab.errors.PlaneError` with the kernel's reason; inside `with netlink.batch():` requests are
    collected and sent together when the block ends, and the first refusal is raised then.
    """
