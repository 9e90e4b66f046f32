"""A Binding Update survives the way to octets and back."""

import pytest

from lab.bench import codec
from lab.errors import WireError
from lab.wire.packet import parse


@pytest.mark.rfc6275("6.1.7-a", "6.3-a")
def test_binding_update_equals_scapys() -> None:
    assert codec.ours() == codec.scapys()


def test_one_changed_octet_is_a_bad_checksum() -> None:
    octets = bytearray(codec.ours())
    octets[-1] ^= 1
    with pytest.raises(WireError, match="checksum"):
        parse(bytes(octets))
