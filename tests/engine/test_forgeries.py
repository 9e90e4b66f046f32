"""A flood of bogus Binding Updates at a correspondent (RFC 6275 §15.4.5)."""

from collections.abc import Callable
from ipaddress import IPv6Address

import pytest

from lab.constants import Status
from lab.engine import correspondent
from lab.engine.correspondent import FORGERIES_AT_ONCE, FORGERIES_PER_SECOND
from lab.engine.io import Received
from lab.engine.token_bucket import TokenBucket
from lab.events import PacketDropped
from tests.engine.correspondent_bench import HOME, Bench
from tests.engine.effects import events
from tests.engine.home_agent_bench import status

OTHER_HOME = IPv6Address("2001:db8:1::200")


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def forge(bench: Bench) -> Callable[[IPv6Address], str]:
    """Give what sends a Binding Update that is signed with the tokens of another home address."""
    tokens = bench.tokens(IPv6Address("2001:db8:bad::1"))

    def send(home: IPv6Address) -> str:
        (dropped,) = events(bench.take(bench.update(tokens=tokens, home=home)), PacketDropped)
        return dropped.reason

    return send


@pytest.fixture
def flooded(bench: Bench, forge: Callable[[IPv6Address], str]) -> Bench:
    """Give a correspondent that has no more patience, met by as many senders as there are packets."""
    reasons = {forge(HOME + 1 + number) for number in range(int(FORGERIES_AT_ONCE))}
    assert reasons == {"wrong-authenticator"}
    return bench


@pytest.mark.rfc6275("15.4.5-a")
def test_beyond_the_budget_nothing_is_computed(
    flooded: Bench, forge: Callable[[IPv6Address], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = flooded.update(home=OTHER_HOME)

    def compute(*_: object) -> bytes:
        raise AssertionError("a keygen token is computed")

    monkeypatch.setattr(correspondent, "home_keygen_token", compute)
    assert forge(HOME) == "too-many-forgeries"
    (dropped,) = events(flooded.take(genuine), PacketDropped)
    assert dropped.reason == "too-many-forgeries"


@pytest.mark.rfc6275("15.4.5-a")
def test_who_has_a_binding_is_heard(bench: Bench, forge: Callable[[IPv6Address], str]) -> None:
    bench.register(1)
    for number in range(int(FORGERIES_AT_ONCE)):
        forge(OTHER_HOME + number)
    assert forge(OTHER_HOME) == "too-many-forgeries"
    assert status(bench.register(2)) == Status.ACCEPTED
    assert forge(HOME) == "wrong-authenticator"


@pytest.mark.rfc6275("15.4.5-a")
def test_with_time_others_are_heard_again(flooded: Bench, forge: Callable[[IPv6Address], str]) -> None:
    again: Received = flooded.update(home=OTHER_HOME)
    flooded.now += 1 / FORGERIES_PER_SECOND
    assert status(flooded.take(again)) == Status.ACCEPTED
    assert forge(HOME) == "wrong-authenticator"
    assert forge(HOME) == "too-many-forgeries"


@pytest.mark.rfc6275("15.4.5-a")
def test_genuine_binding_updates_cost_nothing(bench: Bench) -> None:
    for number in range(2 * int(FORGERIES_AT_ONCE)):
        assert status(bench.take(bench.update(home=HOME + number))) == Status.ACCEPTED


def test_a_bucket_is_never_fuller_than_full() -> None:
    bucket = TokenBucket(rate=2.0, burst=3.0)
    assert [bucket.take(1e6) for _ in range(4)] == [True, True, True, False]
    assert bucket.is_empty(1e6 + 0.25)
    assert [bucket.take(1e6 + 0.5) for _ in range(2)] == [True, False]
