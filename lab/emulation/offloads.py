"""What interfaces of one machine leave out between each other: cutting large segments, and computing checksums."""

import ctypes
import fcntl
import socket
import struct

from lab.errors import PlaneError

_SIOCETHTOOL = 0x8946
_TRANSMIT_CHECKSUMS, _SCATTER_GATHER, _TCP_SEGMENTS, _SEGMENTS, _RECEIVED_SEGMENTS = 0x17, 0x19, 0x1F, 0x24, 0x2C
"""What ethtool calls tx, sg, tso, gso and gro, by the commands that set it."""


def switch_off(interface: str) -> None:
    """Have an interface send packets as they are on a wire; raises `PlaneError`.

    Call this in its network namespace.
    """
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as asking:
        for command in (_TCP_SEGMENTS, _SEGMENTS, _RECEIVED_SEGMENTS, _SCATTER_GATHER, _TRANSMIT_CHECKSUMS):
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(asking, _SIOCETHTOOL, request)
            except OSError as error:
                raise PlaneError(f"switch offload {command:#x} of {interface} off: {error.strerror}") from error
