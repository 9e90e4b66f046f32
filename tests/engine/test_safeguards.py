"""Protections of engines: what is refused with one of them in force is accepted without it (RFC 6275 §15)."""

import pickle
from dataclasses import replace
from ipaddress import IPv6Address

import pytest

from lab.constants import MAX_NONCE_LIFETIME, MAX_RR_BINDING_LIFETIME, Status
from lab.engine.config import CorrespondentConfig
from lab.engine.correspondent import FORGERIES_AT_ONCE
from lab.engine.io import Effect, Recalled, Remember
from lab.events import BindingRegistered, PacketDropped
from lab.safeguards import NOTHING, Safeguard, Without
from tests.engine import home_agent_bench as agents
from tests.engine.correspondent_bench import CARE_OF, HOME, OTHER_CARE_OF, Bench, Tokens
from tests.engine.effects import events, of_kind
from tests.engine.home_agent_bench import status

FOR_EVER = 262140


def without(safeguard: Safeguard, off: bool) -> Without:
    return frozenset({safeguard}) if off else NOTHING


def dropped(effects: list[Effect]) -> list[str]:
    return [event.reason for event in events(effects, PacketDropped)]


both_ways = pytest.mark.parametrize("off", [False, True], ids=["protected", "without"])


def test_every_protection_says_what_it_does() -> None:
    assert all(safeguard.sentence.endswith(").") and "§" in safeguard.sentence for safeguard in Safeguard)
    assert Safeguard("esp") is Safeguard.ESP


@both_ways
@pytest.mark.rfc6275("9.5.1-b", "10.3.1-f")
def test_sequence_check_of_a_home_agent(off: bool) -> None:
    bench = agents.Bench(without=without(Safeguard.SEQUENCE_CHECK, off))
    bench.register(1)
    bench.register(2, care_of=OTHER_CARE_OF)
    assert status(bench.register(1)) == (Status.ACCEPTED if off else Status.SEQUENCE_NUMBER_OUT_OF_WINDOW)


@both_ways
@pytest.mark.rfc6275("15.3-a", "10.3.1-f")
def test_state_store(off: bool) -> None:
    """The store itself is the daemon's; this is what its record is good for after a restart."""
    before = agents.Bench()
    before.register(1)
    (kept, *_) = of_kind(before.register(2, care_of=OTHER_CARE_OF), Remember)
    after = agents.Bench(now=before.now)
    if not off:
        after.take(Recalled(record=kept.record))
    assert status(after.register(1)) == (Status.ACCEPTED if off else Status.SEQUENCE_NUMBER_OUT_OF_WINDOW)


@both_ways
@pytest.mark.rfc6275("9.5.1-b", "15.4.4-a")
def test_sequence_check_of_a_correspondent(off: bool) -> None:
    bench = Bench(without=without(Safeguard.SEQUENCE_CHECK, off))
    first = bench.update(1)
    bench.take(first)
    bench.register(2, care_of=OTHER_CARE_OF)
    assert status(bench.take(first)) == (Status.ACCEPTED if off else Status.SEQUENCE_NUMBER_OUT_OF_WINDOW)
    assert bench.installed == {HOME: CARE_OF if off else OTHER_CARE_OF}


@both_ways
@pytest.mark.rfc6275("5.2.8-a", "15.4.4-a")
@pytest.mark.parametrize("how", ["deleted", "expired"])
def test_kept_sequence(off: bool, how: str) -> None:
    bench = Bench(without=without(Safeguard.KEPT_SEQUENCE, off))
    first = bench.update(1, lifetime=8)
    bench.take(first)
    if how == "deleted":
        bench.register(2, lifetime=0, care_of=HOME)
    else:
        bench.used = False
        bench.pass_time(9)
    assert bench.installed == {}
    assert status(bench.take(first)) == (Status.ACCEPTED if off else Status.SEQUENCE_NUMBER_OUT_OF_WINDOW)
    assert bench.installed == ({HOME: CARE_OF} if off else {})


@both_ways
@pytest.mark.rfc6275("5.2.6-a", "15.4-a", "9.5.1-d")
@pytest.mark.parametrize("lifetime", [420, 0])
def test_authenticator(off: bool, lifetime: int) -> None:
    """Who guesses tokens binds nothing, and deletes nothing (§15.4.6)."""
    bench = Bench(without=without(Safeguard.AUTHENTICATOR, off))
    bench.register(1)
    got = bench.tokens(care_of=OTHER_CARE_OF)
    guessed = Tokens(replace(got.home, keygen_token=b"guessed!"), got.care_of, got.got)
    effects = bench.take(bench.update(2, tokens=guessed, care_of=OTHER_CARE_OF, lifetime=lifetime))
    if not off:
        assert dropped(effects) == ["wrong-authenticator"]
        assert bench.installed == {HOME: CARE_OF}
    else:
        assert status(effects) == Status.ACCEPTED
        assert bench.installed == ({HOME: OTHER_CARE_OF} if lifetime else {})


@both_ways
@pytest.mark.rfc6275("5.2.5-a", "15.4-a")
def test_care_of_test(off: bool) -> None:
    """Who gets both tokens at its own address binds that, and no other."""
    bench = Bench(without=without(Safeguard.CARE_OF_TEST, off))
    own = bench.tokens(home=HOME, care_of=HOME)
    effects = bench.take(bench.update(1, tokens=own, source=HOME, care_of=OTHER_CARE_OF))
    assert dropped(effects) == ([] if off else ["wrong-authenticator"])
    assert bench.installed == ({HOME: OTHER_CARE_OF} if off else {})
    assert status(bench.register(2)) == Status.ACCEPTED  # honest ones are served both ways


@both_ways
@pytest.mark.rfc6275("5.2.7-a", "15.4-a")
@pytest.mark.parametrize("lifetime", [8.0, MAX_NONCE_LIFETIME])
def test_nonce_lifetime(off: bool, lifetime: float) -> None:
    """A home token that was overheard is of use as long as its nonce lives, wherever the thief is by then (§15.4.3)."""
    config = CorrespondentConfig(nonce_lifetime=lifetime)
    bench = Bench(config=config, without=without(Safeguard.NONCE_LIFETIME, off))
    overheard = bench.tokens()
    bench.now += lifetime
    later = Tokens(overheard.home, bench.tokens(care_of=OTHER_CARE_OF).care_of, bench.now)
    effects = bench.take(bench.update(1, tokens=later, care_of=OTHER_CARE_OF))
    assert status(effects) == (Status.ACCEPTED if off else Status.EXPIRED_HOME_NONCE_INDEX)


@pytest.mark.rfc6275("5.2.7-a", "15.4-a")
def test_how_long_a_stolen_token_is_of_use() -> None:
    """From the test that was overheard on, no packet goes astray after MAX_NONCE_LIFETIME and MAX_RR_BINDING_LIFETIME.

    Tokens are taken for 240 seconds at most; by RFC 6275 honest mobile nodes use them for 210 (§15.4.3).
    """
    bench = Bench()
    overheard = bench.tokens()
    start = bench.now
    bench.now += MAX_NONCE_LIFETIME - 0.001
    later = Tokens(overheard.home, bench.tokens(care_of=OTHER_CARE_OF).care_of, bench.now)
    effects = bench.take(bench.update(1, tokens=later, care_of=OTHER_CARE_OF, lifetime=FOR_EVER))
    (registered,) = events(effects, BindingRegistered)
    assert registered.lifetime == MAX_RR_BINDING_LIFETIME
    bench.pass_time(MAX_RR_BINDING_LIFETIME)
    assert bench.installed == {}
    assert bench.now - start < MAX_NONCE_LIFETIME + MAX_RR_BINDING_LIFETIME
    again = Tokens(overheard.home, bench.tokens(care_of=OTHER_CARE_OF).care_of, bench.now)
    effects = bench.take(bench.update(2, tokens=again, care_of=OTHER_CARE_OF))
    assert status(effects) == Status.EXPIRED_HOME_NONCE_INDEX


@both_ways
@pytest.mark.rfc6275("9.5.2-a", "15.4-a")
def test_binding_lifetime(off: bool) -> None:
    bench = Bench(without=without(Safeguard.BINDING_LIFETIME, off))
    (registered,) = events(bench.register(1, lifetime=FOR_EVER), BindingRegistered)
    assert registered.lifetime == (FOR_EVER if off else MAX_RR_BINDING_LIFETIME)


@both_ways
@pytest.mark.rfc6275("15.4.5-a")
def test_forgery_budget(off: bool) -> None:
    """So many authenticators are computed for strangers, and then no more; who is bound is always heard."""
    bench = Bench(without=without(Safeguard.FORGERY_BUDGET, off))
    bench.register(1)
    got = bench.tokens(home=OTHER_CARE_OF)
    guessed = Tokens(replace(got.home, keygen_token=b"guessed!"), got.care_of, got.got)
    forged = bench.update(1, tokens=guessed, home=OTHER_CARE_OF)
    flood = int(FORGERIES_AT_ONCE) + 10
    reasons = [reason for _ in range(flood) for reason in dropped(bench.take(forged))]
    looked_into = flood if off else int(FORGERIES_AT_ONCE)
    assert reasons == ["wrong-authenticator"] * looked_into + ["too-many-forgeries"] * (flood - looked_into)
    assert status(bench.register(2, care_of=OTHER_CARE_OF)) == Status.ACCEPTED


@both_ways
@pytest.mark.rfc6275("15.4.5-a", "5.2.5-a")
def test_stateless_tests(off: bool) -> None:
    """Whoever asks leaves nothing behind at the correspondent, however many they are."""
    bench = Bench(without=without(Safeguard.STATELESS_TESTS, off))
    bench.tokens()
    before = len(pickle.dumps(bench.node))
    for number in range(100):
        bench.tokens(home=IPv6Address(int(HOME) + number), care_of=IPv6Address(int(CARE_OF) + number))
    assert (len(pickle.dumps(bench.node)) > before) == off
