"""Packets out of captures that still grow, and one of them sent once more by somebody else."""

import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import IPv6Address
from pathlib import Path

from lab.emulation.node import LabNode
from lab.errors import ScenarioError
from lab.verify.esp import read_associations, tables_beside
from lab.verify.frame import Frame
from lab.verify.session import Session
from lab.verify.trace import CaptureError, read

SEEN_WITHIN = 5.0
"""Seconds after which a packet must have come from dumpcap's buffer into its file."""


def frames_so_far(captures: Sequence[Path], *, keys: bool = True) -> list[Frame]:
    """Give what captures hold so far, what ESP protected opened, with the `keys` to it; raises `CaptureError`."""
    associations = read_associations(tables_beside(captures)) if keys else []
    deadline = time.monotonic() + SEEN_WITHIN
    while True:
        try:
            return read(captures, associations)
        except CaptureError:  # the last record may be half written just now
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def wait_for_frame(
    captures: Sequence[Path], matches: Callable[[Frame], bool], *, keys: bool = True, within: float = SEEN_WITHIN
) -> Frame | None:
    """Wait for a packet in captures; None if it does not come in so many seconds."""
    deadline = time.monotonic() + within
    while True:
        found = next(filter(matches, frames_so_far(captures, keys=keys)), None)
        if found is not None or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def home_registrations(capture: Path) -> list[Frame]:
    """Give the Binding Updates for home agents that a capture holds so far, in ESP too; raises `CaptureError`."""
    session = Session(frames=frames_so_far([capture]), associations=read_associations(tables_beside([capture])))
    return [update.frame for update in session.updates]


def first_registration(capture: Path, home_address: IPv6Address) -> bytes:
    """Wait for the first Binding Update of a home address in a capture; give its octets, or raise `ScenarioError`."""
    deadline = time.monotonic() + SEEN_WITHIN
    while True:
        for frame in home_registrations(capture):
            if frame.home_address == home_address:
                return frame.captured
        if time.monotonic() > deadline:
            raise ScenarioError(f"{capture} holds no Binding Update of {home_address}")
        time.sleep(0.05)


def send_again(node: LabNode, packet: bytes) -> None:
    """Send a packet from a node as it stands, whoever sent it first."""
    node.namespace.run(partial(_send, packet))


def _send(packet: bytes) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as outlet:
        outlet.sendto(packet, (str(IPv6Address(packet[24:40])), 0))
