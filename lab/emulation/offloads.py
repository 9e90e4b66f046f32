"""What interfaces of one machine leave out between each other: cutting large segments, and computing checksums."""

import socket

from lab.emulation import ethtool
from lab.errors import PlaneError

_TRANSMIT_CHECKSUMS, _SCATTER_GATHER, _TCP_SEGMENTS, _SEGMENTS, _RECEIVED_SEGMENTS = 0x17, 0x19, 0x1F, 0x24, 0x2C
"""What ethtool calls tx, sg, tso, gso and gro, by the commands that set it."""


def switch_off(interface: str) -> None:
    """Have an interface send packets as they are on a wire; raises `PlaneError`.

    Call this in its network namespace.
    """
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
        for command in (_TCP_SEGMENTS, _SEGMENTS, _RECEIVED_SEGMENTS, _SCATTER_GATHER, _TRANSMIT_CHECKSUMS):
            try:
                ethtool.ask(asking, interface, command)
            except OSError as error:
                raise PlaneError(f"switch offload {command:#x} of {interface} off: {error.strerror}") from error
