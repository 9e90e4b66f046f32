"""What ethtool asks of an interface and sets: one value for each command."""

import ctypes
import fcntl
import socket
import struct

CARRIER = 0x0A
_SIOCETHTOOL = 0x8946
_VALUE = struct.Struct("=II")


def ask(by: socket.socket, interface: str, command: int, value: int = 0) -> int:
    """Carry a command out in the network namespace of a socket, and give the value that it leaves; raises OSError."""
    told = ctypes.create_string_buffer(_VALUE.pack(command, value))
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(told))
    fcntl.ioctl(by, _SIOCETHTOOL, request)
    return int(_VALUE.unpack_from(told.raw)[1])
