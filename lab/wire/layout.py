"""Codecs made from the annotations of frozen dataclasses.

As `dataclasses` itself does, a layout writes the source of two functions and compiles it once: one `struct` call
reads or writes all fields of fixed size. A frozen dataclass would set each field by `object.__setattr__`; what is
read from the wire is filled in as a plain twin with the same slots and then given its class, four times as fast.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar, get_type_hints

from lab.wire.fields import Bit, FieldError, Fixed, HeaderOctet, Kind, Position, Reserved, Tail

Message = TypeVar("Message")

_REFUSALS = (struct.error, ValueError, TypeError, AttributeError)
"""What writing a field with a value that does not fit raises."""


@dataclass(frozen=True, slots=True)
class Layout(Generic[Message]):
    """How a message lies in octets, behind a header that others read and write.

    `size` counts that header and the fields of fixed size. `read(octets, at, end)` takes the message that starts
    (header included) at `at`, whose size the caller has checked; `write(message)` gives what follows the header
    and raises `FieldError`.
    """

    size: int
    read: Callable[[bytes, int, int], Message]
    write: Callable[[Message], bytes]


def layout(message: type[Message], *, header: int) -> Layout[Message]:
    """Make the layout of a dataclass whose fields begin behind `header` octets."""
    source = _Source(message)
    for name, kinds in _annotated(message):
        for kind in kinds:
            source.add(name, kind)
    return source.compile(header)


def maker(message: type[Message]) -> Callable[..., Message]:
    """Make a fast constructor of a frozen dataclass: every field, by its place."""
    names = [field.name for field in fields(message)]  # type: ignore[arg-type]  # any dataclass
    lines = _construction({name: name for name in names})
    make: Callable[..., Message] = _define(
        "make", [f"def make({', '.join(names)}):", *lines], {"cls": message, "twin": _twin(message)}
    )
    return make


class _Source:
    """The source of a codec, grown field by field."""

    def __init__(self, message: type[Any]) -> None:
        self.message = message
        self.codes = ""
        self.bits: dict[str, int] = {}
        self.unpacked: list[str] = []
        self.packed: list[str] = []
        self.values: dict[str, str] = {}
        self.tail = ""
        self.scope: dict[str, Any] = {}

    def add(self, name: str, kind: Kind) -> None:
        """Append a field, or reserved octets around it."""
        match kind:
            case Bit(mask):
                self._add_bit(name, mask)
            case Reserved(size):
                self.codes += f"{size}x"
            case HeaderOctet(offset):
                self.values[name] = f"octets[at + {offset}]"
            case Position():
                self.values[name] = "at"
            case Fixed(code, unit, read, write):
                self.codes += code
                self.unpacked.append(name)
                self.values[name] = self._call(f"read_{name}", read, name) if unit == 1 else f"{name} * {unit}"
                self.packed.append(self._call(f"write_{name}", write, f"message.{name}"))
            case Tail(read_tail, write_tail):
                self.scope |= {"read_tail": read_tail, "write_tail": write_tail}
                self.values[name] = "read_tail(octets, at + size, end)"
                self.tail = f" + write_tail(message.{name}, size)"

    def _add_bit(self, name: str, mask: int) -> None:
        octet = self.unpacked[-1] if self.unpacked else ""
        term = f"{mask} * message.{name}"
        if mask < self.bits.get(octet, 0):
            self.packed[-1] += f" | {term}"
        else:
            octet = f"octet_with_{name}"
            self.codes += "B"
            self.unpacked.append(octet)
            self.packed.append(term)
        self.bits[octet] = mask
        self.values[name] = f"{octet} & {mask} != 0"

    def _call(self, function: str, conversion: Callable[[Any], object] | None, value: str) -> str:
        if conversion is None:
            return value
        self.scope[function] = conversion
        return f"{function}({value})"

    def compile(self, header: int) -> Layout[Any]:
        """Compile both functions."""
        reader = struct.Struct(f"!{header}x{self.codes}")
        writer = struct.Struct(f"!{self.codes}")
        scope = self.scope | {
            "cls": self.message,
            "twin": _twin(self.message),
            "size": reader.size,
            "unpack": reader.unpack_from,
            "pack": writer.pack,
            "refusals": _REFUSALS,
            "explain": _explain,
        }
        unpack = [f"    {', '.join(self.unpacked)}, = unpack(octets, at)"] if self.unpacked else []
        read = ["def read(octets, at, end):", *unpack, *_construction(self.values)]
        write = [
            "def write(message):",
            "    try:",
            f"        return pack({', '.join(self.packed)}){self.tail}",
            "    except refusals as error:",
            "        raise explain(message, error) from error",
        ]
        return Layout(reader.size, _define("read", read, scope), _define("write", write, scope))


def _twin(message: type[Any]) -> type[Any]:
    return type(message.__name__, (), {"__slots__": tuple(field.name for field in fields(message))})


def _construction(values: dict[str, str]) -> list[str]:
    """Lines that make a message from an expression for each field."""
    return [
        "    message = twin()",
        *(f"    message.{name} = {value}" for name, value in values.items()),
        "    message.__class__ = cls",
        "    return message",
    ]


def _define(name: str, lines: list[str], scope: dict[str, Any]) -> Callable[..., Any]:
    namespace = dict(scope)
    exec("\n".join(lines), namespace)
    function: Callable[..., Any] = namespace[name]
    return function


def _annotated(message: type[Any]) -> Iterator[tuple[str, tuple[Kind, ...]]]:
    hints = get_type_hints(message, include_extras=True)
    for field in fields(message):
        yield field.name, hints[field.name].__metadata__


def _explain(message: object, error: Exception) -> FieldError:
    """Find the field at fault: the first that cannot be written alone."""
    if isinstance(error, FieldError):
        return error  # an option within the message has explained itself
    for name, kinds in _annotated(type(message)):
        value = getattr(message, name)
        for kind in kinds:
            if isinstance(kind, Fixed):
                try:
                    struct.pack(f"!{kind.code}", value if kind.write is None else kind.write(value))
                except _REFUSALS as reason:
                    return FieldError(f"{type(message).__name__}.{name} cannot be {value!r}: {reason}")
    return FieldError(f"{message!r} cannot be written: {error}")
