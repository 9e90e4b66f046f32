"""Settings of the kernel's IPv6, in the network namespace of the calling thread."""

from pathlib import Path

from lab.errors import PlaneError

_ROOT = Path("/proc/sys/net/ipv6")


def set_interface(interface: str, **values: int) -> None:
    """Set `net.ipv6.conf.INTERFACE.NAME`; raises `PlaneError`."""
    for name, value in values.items():
        _write(_ROOT / "conf" / interface / name, value)


def set_neighbor(interface: str, **values: int) -> None:
    """Set `net.ipv6.neigh.INTERFACE.NAME`; raises `PlaneError`."""
    for name, value in values.items():
        _write(_ROOT / "neigh" / interface / name, value)


def forwarding() -> bool:
    """Tell whether this node forwards IPv6 packets."""
    return (_ROOT / "conf/all/forwarding").read_text(encoding="ascii").strip() != "0"


def _write(path: Path, value: int) -> None:
    try:
        path.write_text(str(value), encoding="ascii")
    except OSError as error:
        raise PlaneError(f"set {path} to {value}: {error.strerror}") from error
