"""Octets that only the seed tells (RFC 4086)."""

import hashlib
import hmac

import pytest

from lab.auth.secrets import Secrets


def test_the_seed_alone_decides() -> None:
    one, same, other = (Secrets(seed) for seed in (b"seed", b"seed", b"other"))
    drawn = [one.octets(20) for _ in range(100)]
    assert drawn == [same.octets(20) for _ in range(100)]
    assert len({*drawn}) == 100
    assert not {*drawn} & {other.octets(20) for _ in range(100)}


def test_the_formula() -> None:
    secrets = Secrets(b"seed")
    for number in (1, 2):
        text = bytes(7) + bytes((number,))
        assert secrets.octets(8) == hmac.new(b"seed", text, hashlib.sha256).digest()[:8]


@pytest.mark.parametrize("count", [1, 2, 8, 20, 32])
def test_as_many_as_wanted(count: int) -> None:
    assert len(Secrets(b"seed").octets(count)) == count


@pytest.mark.parametrize("count", [-1, 0, 33])
def test_never_none_and_never_more_than_there_are(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} octets"):
        Secrets(b"seed").octets(count)
