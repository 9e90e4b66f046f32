"""Settings of the kernel's IPv6, in the network namespace of the calling thread."""

import contextlib
from collections.abc import Mapping
from pathlib import Path

from lab.errors import PlaneError

_ROOT = Path("/proc/sys/net/ipv6")


def set_interface(interface: str, **values: int) -> dict[Path, str]:
    """Set `net.ipv6.conf.INTERFACE.NAME`; give what was there, for `restore`. Raises `PlaneError`."""
    return _exchange(_ROOT / "conf" / interface, values)


def set_neighbor(interface: str, **values: int) -> dict[Path, str]:
    """Set `net.ipv6.neigh.INTERFACE.NAME`; give what was there, for `restore`. Raises `PlaneError`."""
    return _exchange(_ROOT / "neigh" / interface, values)


def restore(before: Mapping[Path, str]) -> None:
    """Undo changes, except for interfaces that are gone."""
    for path, value in before.items():
        with contextlib.suppress(OSError):
            path.write_text(value, encoding="ascii")


def forwarding() -> bool:
    """Tell whether this node forwards IPv6 packets."""
    return (_ROOT / "conf/all/forwarding").read_text(encoding="ascii").strip() != "0"


def _exchange(folder: Path, values: Mapping[str, int]) -> dict[Path, str]:
    before = {}
    for name, value in values.items():
        path = folder / name
        try:
            before[path] = path.read_text(encoding="ascii")
            path.write_text(str(value), encoding="ascii")
        except OSError as error:
            raise PlaneError(f"set {path} to {value}: {error.strerror}") from error
    return before
