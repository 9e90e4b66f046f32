"""What a link does to packets beside carrying them: it delays them, loses some, and carries only so many at a time."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from lab.errors import MissingError, PlaneError, TopologyError
from lab.netlink import Netlink

_SECONDS = {"ms": 1e-3, "s": 1.0, "": 1.0}
_UNITS = {
    "delay": _SECONDS,
    "jitter": _SECONDS,
    "loss": {"%": 1e-2, "": 1.0},
    "rate": {"kbit": 1e3, "mbit": 1e6, "gbit": 1e9, "bit": 1.0, "": 1.0},
}
_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([a-z%]*)")
LONGEST_DELAY = 10.0
SLOWEST, FASTEST = 8e3, 30e9
"""Bits in a second; what is in between fits the kernel's 32 bits of octets in a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairment:
    """What happens to each packet that a node sends on a link; raises `TopologyError` if it cannot be.

    It happens before the link, so that a capture shows what arrives.
    """

    delay: float = 0.0
    """Seconds."""
    jitter: float = 0.0
    """Seconds by which the delay is longer or shorter, evenly at random; packets may overtake each other."""
    loss: float = 0.0
    """The fraction that is lost, at random."""
    rate: float = 0.0
    """Bits in a second from each node; 0 for no limit."""

    def __post_init__(self) -> None:
        if not 0 <= self.delay <= LONGEST_DELAY:
            raise TopologyError(f"delay={self.delay:g}: from 0 to {LONGEST_DELAY:g} seconds")
        if not 0 <= self.jitter <= self.delay:
            raise TopologyError(f"jitter={self.jitter:g}: from 0 to the delay, which is {self.delay:g} seconds")
        if not 0 <= self.loss <= 1:
            raise TopologyError(f"loss={self.loss:g}: from 0 to 1, which is a packet in one")
        if self.rate and not SLOWEST <= self.rate <= FASTEST:
            raise TopologyError(f"rate={self.rate:g}: from {SLOWEST:g} to {FASTEST:g} bits in a second")

    @property
    def needs_netem(self) -> bool:
        """Whether the kernel's netem alone can do it."""
        return bool(self.delay or self.loss)


UNIMPAIRED = Impairment()
"""Of a link that only carries."""


def parse(words: Iterable[str]) -> Impairment:
    """Read words such as `delay=20ms`, `loss=1%`, `rate=2mbit`; raises `ValueError` or `TopologyError`."""
    values: dict[str, float] = {}
    for word in words:
        name, _, text = word.partition("=")
        value = _with_unit(text, _UNITS[name]) if name in _UNITS else None
        if value is None:
            raise ValueError(f"{word}: write delay=20ms, jitter=5ms, loss=1% or rate=2mbit")
        values[name] = value
    return Impairment(**values)


def parse_seconds(word: str) -> float:
    """Read a word such as `every=10ms`; raises `ValueError`."""
    name, _, text = word.partition("=")
    value = _with_unit(text, _SECONDS)
    if value is None:
        raise ValueError(f"{word}: write {name}=10ms or {name}=0.01")
    return value


def _with_unit(text: str, units: Mapping[str, float]) -> float | None:
    number = _NUMBER.fullmatch(text)
    return None if number is None or number[2] not in units else float(number[1]) * units[number[2]]


def impair(netlink: Netlink, port: int, impairment: Impairment) -> None:
    """Treat so what leaves by an interface, in place of what was; raises `MissingError` where the kernel cannot."""
    netlink.remove_queue(port)
    if impairment == UNIMPAIRED:
        return
    try:
        netlink.add_netem(port, **asdict(impairment))
    except PlaneError as error:
        if impairment.needs_netem:
            raise MissingError(f"{error}: delay and loss need netem; modprobe sch_netem, or --kernel guest") from error
        netlink.add_shaper(port, rate=impairment.rate)
