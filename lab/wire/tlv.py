"""Options of type, length and value, as RFC 6275 §6.2.1 (mobility) and RFC 8200 §4.2 (headers) have them.

Both number Pad1 as 0 and PadN as 1, align options by padding, and fill their header up to a multiple of 8 octets.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

from lab.errors import MalformedReason, WireError
from lab.wire.fields import FieldError
from lab.wire.layout import Layout, layout

Option = TypeVar("Option")

_TYPE_AND_LENGTH = 2
_PAD1, _PADN = 0, 1
_PADDING = (b"", b"\0", *(bytes((_PADN, size)) + bytes(size) for size in range(6)))
"""Padding of 0 to 7 octets."""


class OptionsCodec(Generic[Option]):
    """Reads and writes the options of one kind of header.

    A known option is a dataclass with an `OPTION_TYPE`, an `ALIGNMENT` (multiple, remainder) and fields of fixed size;
    `RECURS` tells whether packets repeat what it holds. All others are kept as `unknown`, a dataclass with
    `option_type` and `data`.
    """

    def __init__(self, known: tuple[type[Any], ...], unknown: type[Any]) -> None:
        layouts = {kind: layout(kind, header=_TYPE_AND_LENGTH) for kind in known}
        self._readers = {kind.OPTION_TYPE: (known.size, _reader(kind, known)) for kind, known in layouts.items()}
        self._writers = {
            kind: (*kind.ALIGNMENT, bytes((kind.OPTION_TYPE, known.size - _TYPE_AND_LENGTH)), known.write)
            for kind, known in layouts.items()
        }
        self._unknown = unknown
        unknown_layout = layout(unknown, header=_TYPE_AND_LENGTH)
        self._read_unknown, self._write_data = unknown_layout.read, unknown_layout.write

    def read(self, octets: bytes, at: int, end: int) -> tuple[Option, ...]:
        """Read the options between two offsets; padding is dropped."""
        readers = self._readers
        options = []
        last = end - 1
        while at < last:
            kind = octets[at]
            if kind == _PAD1:
                at += 1
                continue
            after = at + 2 + octets[at + 1]
            if after > end:
                raise WireError(MalformedReason.BAD_OPTION, f"option {kind} runs past the end of its header")
            if kind in readers:
                size, read = readers[kind]
                if after - at != size:
                    raise WireError(MalformedReason.BAD_OPTION, f"option {kind} cannot be {after - at} octets long")
                options.append(read(octets[at:after]))
            elif kind != _PADN:
                options.append(self._read_unknown(octets, at, after))
            at = after
        if at == last and octets[at] != _PAD1:
            raise WireError(MalformedReason.BAD_OPTION, f"option {octets[at]} has no length")
        return tuple(options)

    def write(self, options: tuple[Option, ...], offset: int) -> bytes:
        """Write options that begin `offset` octets into their header, aligned, with the padding to its end."""
        written = b""
        for option in options:
            if type(option) in self._writers:
                multiple, remainder, type_and_length, write = self._writers[type(option)]
                written += _PADDING[(remainder - offset - len(written)) % multiple] + type_and_length + write(option)
            else:
                written += self._write_unknown(option)
        return written + _PADDING[-(offset + len(written)) % 8]

    def _write_unknown(self, option: Any) -> bytes:
        if type(option) is not self._unknown:
            raise FieldError(f"{option!r} does not belong into this header")
        data = self._write_data(option)
        if option.option_type in (_PAD1, _PADN) or len(data) > 0xFF:
            raise FieldError(f"no option can have type {option.option_type} and {len(data)} octets of data")
        return bytes((option.option_type, len(data))) + data


def _reader(known: type[Any], fields: Layout[Option]) -> Callable[[bytes], Option]:
    """Read an option from its own octets; those that come again and again are remembered."""

    def read(octets: bytes) -> Option:
        return fields.read(octets, 0, fields.size)

    return lru_cache(maxsize=4096)(read) if known.RECURS else read
