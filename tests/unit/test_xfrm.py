"""Transformations by netlink, as octets: what is said is what `ip xfrm` says, and whatever is read is read whole."""

import struct
from ipaddress import IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.netlink import HEADER
from lab.xfrm import octets as xfrm
from lab.xfrm.objects import (
    EVERYTHING,
    Acquire,
    Action,
    Cipher,
    Direction,
    Expired,
    Integrity,
    Mark,
    Migrated,
    Migration,
    Mode,
    Policy,
    PolicyKind,
    Report,
    Selector,
    State,
    Template,
    Use,
)
from tests.unit.xfrm_octets import SPOKEN

HOME, CARE_OF, CARE_OF_TOO = (IPv6Address(text) for text in ("2001:db8:1::100", "2001:db8:a::2", "2001:db8:a::3"))
HOME_AGENT, CN = IPv6Address("2001:db8:1::1"), IPv6Address("2001:db8:c::2")
NOWHERE = IPv6Address("::")
TEST_INIT = Selector(source=IPv6Network(HOME), protocol=135, source_port=1)
BY_HOME_ADDRESS = State(source=HOME, destination=CN, protocol=60, request=6275, care_of_address=CARE_OF)
ROUTED = Template(protocol=43, request=6275, optional=True)

MEANT: dict[str, State | Policy] = {
    "xfrm state add src 2001:db8:1::100 dst 2001:db8:c::2 proto hao": BY_HOME_ADDRESS,
    "xfrm state add src :: dst :: proto route2": State(
        source=NOWHERE,
        destination=NOWHERE,
        protocol=43,
        request=6274,
        care_of_address=NOWHERE,
        wildcard=True,
    ),
    "xfrm state add src 2001:db8:a::2": State(
        source=CARE_OF,
        destination=HOME_AGENT,
        protocol=50,
        mode=Mode.TUNNEL,
        spi=0x1001,
        request=7,
        selector=TEST_INIT,
        encryption=Cipher(name="cbc(aes)", key=b"\2" * 16),
        integrity=Integrity(name="hmac(sha256)", octets=16, key=b"\1" * 32),
    ),
    "xfrm state update": State(source=HOME, destination=CN, protocol=60, request=6275, care_of_address=CARE_OF_TOO),
    "xfrm policy add dir out src 2001:db8:c::2/128": Policy(
        direction=Direction.OUT,
        selector=Selector(source=IPv6Network(CN), destination=IPv6Network(HOME)),
        templates=(ROUTED,),
        priority=16,
        kind=PolicyKind.SUB,
        mark=Mark(0, 0x1883),
    ),
    "xfrm policy add dir in": Policy(
        direction=Direction.IN,
        selector=Selector(source=IPv6Network(HOME), destination=IPv6Network(CN)),
        templates=(
            Template(protocol=60, request=6275, optional=True),
            Template(protocol=43, request=6274, optional=True),
        ),
        priority=16,
        kind=PolicyKind.SUB,
    ),
    "xfrm policy update": Policy(
        direction=Direction.OUT,
        selector=TEST_INIT,
        templates=(Template(protocol=50, mode=Mode.TUNNEL, source=CARE_OF, destination=HOME_AGENT, request=7),),
        priority=10,
    ),
    "xfrm policy add dir out src ::/0": Policy(
        direction=Direction.OUT,
        selector=Selector(destination=IPv6Network("2001:db8:1::/64"), protocol=17, source_port=5, destination_port=6),
        priority=4,
        kind=PolicyKind.SUB,
        action=Action.BLOCK,
    ),
}


@pytest.mark.parametrize("command", MEANT)
def test_what_is_said_is_what_ip_says(command: str) -> None:
    """Octet for octet; and what is said is read as what was meant."""
    (spoken,) = [octets for words, octets in SPOKEN.items() if words.startswith(command)]
    meant = MEANT[command]
    if isinstance(meant, State):
        assert spoken.kind in (xfrm.NEWSA, xfrm.UPDSA)
        assert xfrm.encode_state(meant) == spoken.body
        assert xfrm.decode_state(spoken.body) == meant
    else:
        assert spoken.kind in (xfrm.NEWPOLICY, xfrm.UPDPOLICY)
        assert xfrm.encode_policy(meant) == spoken.body
        assert xfrm.decode_policy(spoken.body) == meant


def test_what_is_removed_is_named_as_ip_names_it() -> None:
    (spoken,) = [octets for words, octets in SPOKEN.items() if words.startswith("xfrm state delete")]
    assert spoken == (xfrm.DELSA, xfrm.encode_state_id(BY_HOME_ADDRESS))


def test_keys_are_not_shown() -> None:
    shown = repr(MEANT["xfrm state add src 2001:db8:a::2"])
    assert "cbc(aes)" in shown
    assert "key" not in shown


def test_use_is_read() -> None:
    body = bytearray(xfrm.encode_state(BY_HOME_ADDRESS))
    struct.pack_into("=QQ", body, 160, 1234, 5)
    assert xfrm.decode_use(bytes(body)) == Use(octets=1234, packets=5)
    told_when = struct.pack("=HHQ", 12, 15, 1_600_000_000)
    assert xfrm.decode_use(bytes(body) + told_when) == Use(octets=1234, packets=5, last=1_600_000_000)


# What the kernel tells by itself

SELECTOR = Selector(source=IPv6Network(HOME), destination=IPv6Network(CN), protocol=17, source_port=7)


def message(kind: int, body: bytes) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, 0, 0, 0) + body


def selector_octets(selector: Selector) -> bytes:
    return xfrm.encode_policy(Policy(direction=Direction.OUT, selector=selector))[:56]


def test_a_report_is_read() -> None:
    body = bytes((60, 0, 0, 0)) + selector_octets(SELECTOR) + struct.pack("=HH", 20, 14) + CARE_OF.packed
    assert xfrm.decode_told(xfrm.REPORT, message(xfrm.REPORT, body)) == Report(
        selector=SELECTOR, protocol=60, care_of_address=CARE_OF
    )


def test_an_acquire_is_read() -> None:
    body = CN.packed + bytes(4) + bytes((60, 0, 0, 0)) + HOME.packed + selector_octets(SELECTOR) + bytes(184)
    assert len(body) == 280
    assert xfrm.decode_told(xfrm.ACQUIRE, message(xfrm.ACQUIRE, body)) == Acquire(selector=SELECTOR, protocol=60)


@pytest.mark.parametrize("hard", [False, True])
def test_the_end_of_a_state_is_read(hard: bool) -> None:
    state = State(source=HOME, destination=CN, protocol=60, request=1)
    body = xfrm.encode_state(state) + bytes((hard,)) + bytes(7)
    assert len(body) == 232
    assert xfrm.decode_told(xfrm.EXPIRE, message(xfrm.EXPIRE, body)) == Expired(state=state, hard=hard)


def test_a_migration_is_read_as_it_is_written() -> None:
    migration = Migration(
        source=CARE_OF, destination=HOME_AGENT, new_source=CARE_OF_TOO, new_destination=HOME_AGENT, request=7
    )
    body = xfrm.encode_migration(Policy(direction=Direction.OUT, selector=SELECTOR), [migration])
    told = xfrm.decode_told(xfrm.MIGRATE, message(xfrm.MIGRATE, body))
    assert told == Migrated(selector=SELECTOR, migrations=(migration,))


def test_other_messages_are_nothing() -> None:
    assert xfrm.decode_told(xfrm.NEWSA, message(xfrm.NEWSA, b"")) is None


# Whatever there is

addresses = st.integers(0, (1 << 128) - 1).map(IPv6Address)
networks = st.builds(
    lambda address, length: IPv6Network((int(address) >> (128 - length) << (128 - length), length)),
    addresses,
    st.integers(0, 128),
)
ports = st.none() | st.integers(0, 0xFFFF)
selectors = st.builds(
    Selector,
    source=networks,
    destination=networks,
    protocol=st.integers(0, 255),
    source_port=ports,
    destination_port=ports,
)
requests = st.integers(0, (1 << 32) - 1)
templates = st.builds(
    Template,
    protocol=st.integers(0, 255),
    mode=st.sampled_from(Mode),
    source=addresses,
    destination=addresses,
    spi=requests,
    request=requests,
    optional=st.booleans(),
)
policies = st.builds(
    Policy,
    direction=st.sampled_from(Direction),
    selector=selectors,
    templates=st.lists(templates, max_size=6).map(tuple),
    priority=requests,
    kind=st.sampled_from(PolicyKind),
    action=st.sampled_from(Action),
    mark=st.none() | st.builds(Mark, requests, requests),
)
states = st.builds(
    State,
    source=addresses,
    destination=addresses,
    protocol=st.integers(0, 255),
    mode=st.sampled_from(Mode),
    spi=requests,
    request=requests,
    care_of_address=st.none() | addresses,
    wildcard=st.booleans(),
    selector=st.none() | selectors.filter(lambda selector: selector != EVERYTHING),
    encryption=st.none() | st.builds(Cipher, name=st.just("cbc(aes)"), key=st.binary(min_size=16, max_size=32)),
    integrity=st.none()
    | st.builds(
        Integrity, name=st.just("hmac(sha256)"), octets=st.integers(1, 32), key=st.binary(min_size=1, max_size=33)
    ),
)


@given(policies)
def test_a_policy_is_read_as_it_is_written(policy: Policy) -> None:
    assert xfrm.decode_policy(xfrm.encode_policy(policy)) == policy


@given(states)
def test_a_state_is_read_as_it_is_written(state: State) -> None:
    assert xfrm.decode_state(xfrm.encode_state(state)) == state
