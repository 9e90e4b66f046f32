"""Sessions of an address that is no longer this node's (RFC 6275 §11.4.3)."""

import subprocess
from ipaddress import IPv6Address

from lab.errors import PlaneError


def end(address: IPv6Address) -> None:
    """Close the TCP and UDP sockets of a local address: whoever uses them is told by ECONNABORTED.

    The kernel itself says nothing when an address goes, and lets sessions wait for answers that cannot come. One
    without INET_DIAG_DESTROY leaves it at that. Raises `PlaneError`.
    """
    try:
        subprocess.run(["ss", "-K", "-H", "-t", "-u", "src", f"[{address}]"], capture_output=True, check=False)
    except FileNotFoundError as error:
        raise PlaneError(f"end the sessions of {address}: ss is missing: install the package iproute2") from error
