"""Events of every kind: one plain sample of each, or any."""

import dataclasses
from enum import StrEnum
from ipaddress import IPv6Address, IPv6Network
from types import NoneType, UnionType
from typing import Any, get_args, get_type_hints

from hypothesis import strategies as st

from lab.events import Event

ADDRESSES = st.integers(0, (1 << 128) - 1).map(IPv6Address)
PREFIXES = st.builds(
    lambda address, bits: IPv6Network((int(address), bits), strict=False), ADDRESSES, st.integers(0, 128)
)
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(),
    int: st.integers(),
    bool: st.booleans(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    IPv6Address: ADDRESSES,
    IPv6Network: PREFIXES,
}


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Make values of a field's type."""
    if isinstance(hint, UnionType):
        return st.one_of([st.none() if option is NoneType else of_type(option) for option in get_args(hint)])
    if issubclass(hint, StrEnum):
        return st.sampled_from([*hint])
    return VALUES[hint]


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Make events of a kind."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field.name: of_type(hints[field.name]) for field in dataclasses.fields(kind)})


def sample(kind: type[Event]) -> Event:
    """Make one event of a kind, with the plainest values."""
    plain = {str: "x", int: 1, bool: True, float: 1.0, IPv6Address: IPv6Address(1), IPv6Network: IPv6Network("::/0")}

    def value(hint: Any) -> Any:
        if isinstance(hint, UnionType):
            return value(get_args(hint)[0])
        return next(iter(hint)) if issubclass(hint, StrEnum) else plain[hint]

    hints = get_type_hints(kind)
    return kind(**{field.name: value(hints[field.name]) for field in dataclasses.fields(kind)})
