"""Nonces and the node key: how long they serve, and what their indices name (RFC 6275 §5.2.1, §5.2.2, §5.2.7)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.auth.nonces import INDICES, NODE_KEY_LIFETIME, USED_FOR, Nonce, Nonces
from lab.auth.secrets import Secrets
from lab.constants import MAX_NONCE_LIFETIME, MAX_TOKEN_LIFETIME

START = 5000.0


@pytest.fixture
def nonces() -> Nonces:
    return Nonces(Secrets(b"seed"))


@pytest.mark.rfc6275("5.2.7-a")
def test_one_nonce_serves_all_for_a_while(nonces: Nonces) -> None:
    first = nonces.current(START)
    assert nonces.current(START + USED_FOR - 0.001) is first
    second = nonces.current(START + USED_FOR)
    assert (second.index, second.made) == ((first.index + 1) % INDICES, START + USED_FOR)
    assert second.value != first.value
    assert (len(first.value), len(first.node_key)) == (8, 20)


@pytest.mark.rfc6275("5.2.7-a")
def test_every_token_is_good_for_its_time() -> None:
    assert USED_FOR + MAX_TOKEN_LIFETIME <= MAX_NONCE_LIFETIME


@pytest.mark.rfc6275("5.2.7-a")
@pytest.mark.parametrize(
    ("age", "known"), [(0.0, True), (209.0, True), (210.0, True), (239.0, True), (239.999, True), (240.0, False)]
)
def test_validity(nonces: Nonces, age: float, known: bool) -> None:
    nonce = nonces.current(START)
    assert nonces.find(nonce.index, START + age) == (nonce if known else None)
    assert nonce.valid_until == START + 240.0


@pytest.mark.rfc6275("5.2.7-a")
def test_a_token_made_at_the_last_moment_is_good_for_its_time(nonces: Nonces) -> None:
    nonce = nonces.current(START)
    last = START + USED_FOR - 0.001
    assert nonces.current(last) is nonce
    assert nonces.find(nonce.index, last + MAX_TOKEN_LIFETIME) is nonce


def test_an_index_that_was_never_given(nonces: Nonces) -> None:
    nonce = nonces.current(START)
    for index in (nonce.index + 1, nonce.index - 1, nonce.index + 1000):
        assert nonces.find(index % INDICES, START) is None
    assert Nonces(Secrets(b"seed")).find(nonce.index, START) is None  # before any is made


@pytest.mark.rfc6275("5.2.2-a")
def test_indices_begin_anew_behind_the_last(nonces: Nonces) -> None:
    nonces._next = 65535
    last, first = nonces.current(START), nonces.current(START + USED_FOR)
    assert (last.index, first.index) == (65535, 0)
    assert nonces.find(65535, START + USED_FOR) is last
    assert nonces.find(0, START + USED_FOR) is first


def test_a_restart_begins_elsewhere() -> None:
    indices = {Nonces(Secrets(bytes((number,)))).current(START).index for number in range(20)}
    assert len(indices) == 20


@pytest.mark.rfc6275("5.2.1-a", "5.2.7-b")
def test_a_new_node_key_comes_with_a_new_nonce(nonces: Nonces) -> None:
    first = nonces.current(START)
    second = nonces.current(START + NODE_KEY_LIFETIME - 10.0)
    assert second.node_key == first.node_key
    third = nonces.current(START + NODE_KEY_LIFETIME)
    assert third.node_key != first.node_key
    assert third.index != second.index
    found = nonces.find(second.index, START + NODE_KEY_LIFETIME)
    assert found is second  # whose tokens are computed with the key of before
    assert found.node_key == first.node_key


@pytest.mark.rfc6275("5.2.1-a")
def test_another_start_has_another_node_key() -> None:
    keys = {Nonces(Secrets(seed)).current(START).node_key for seed in (b"one", b"two")}
    assert len(keys) == 2


@pytest.mark.rfc6275("5.2.7-a", "15.4.5-a")
@given(st.lists(st.floats(0.0, 300.0), max_size=150))
def test_no_index_names_two_and_none_is_kept_too_long(pauses: list[float]) -> None:
    nonces, now, seen = Nonces(Secrets(b"seed")), 0.0, dict[int, Nonce]()
    for pause in pauses:
        now += pause
        nonce = nonces.current(now)
        assert seen.setdefault(nonce.index, nonce) is nonce
        assert now < nonce.used_until
        assert len(nonces._nonces) <= MAX_NONCE_LIFETIME / USED_FOR
        for earlier in seen.values():
            assert nonces.find(earlier.index, now) == (earlier if now < earlier.made + 240.0 else None)
