"""A TUN device: whole IPv6 packets between the kernel and this process."""

import fcntl
import os
import struct

from lab.errors import PlaneError

_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
LARGEST_PACKET = 65575


class Tun:
    """A TUN device that exists as long as this object is open."""

    def __init__(self, name: str) -> None:
        self._descriptor = -1
        try:
            self._descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self._descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        except OSError as error:
            self.close()
            raise PlaneError(f"make TUN device {name}: {error.strerror} (is the tun module there? root?)") from error

    def fileno(self) -> int:
        """Give the descriptor, to be watched."""
        return self._descriptor

    def read(self) -> bytes | None:
        """Read one packet that the kernel routed here; None if there is none."""
        try:
            return os.read(self._descriptor, LARGEST_PACKET)
        except BlockingIOError:
            return None

    def write(self, packet: bytes) -> bool:
        """Hand a packet to the kernel as one that arrived here; False if it would not have it."""
        if not packet or packet[0] >> 4 != 6:
            return False  # the device would take IPv4 as well
        try:
            os.write(self._descriptor, packet)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Remove the device; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
