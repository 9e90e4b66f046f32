"""Who a home agent serves, and an administrator's hand (RFC 6275 §10.3.1, §15.1, §15.3)."""

from dataclasses import replace
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest

from lab.constants import MAX_DELETE_BCE_TIMEOUT, Status
from lab.engine.config import HomeAgentConfig
from lab.engine.io import CutOff, Readmitted, Recalled, Refused, Remember, StopDad
from lab.events import BindingRejected, BindingRemoved, HomeAddressCutOff, HomeAddressReadmitted
from tests.engine.effects import events, names, of_kind
from tests.engine.home_agent_bench import (
    AGENT,
    CARE_OF,
    HOME,
    OTHER_CARE_OF,
    PREFIX,
    Bench,
    acknowledgements,
    from_home,
    status,
    update,
)

USUAL = HomeAgentConfig(interface="ha-eth0", address=AGENT, home_prefixes=(PREFIX,))
ELSEWHERE = IPv6Address("2001:db8:99::1")
MULTICAST = IPv6Address("ff0e::1")
PROHIBITED = HOME + 1
STRICT: dict[str, Any] = {
    "allowed": (HOME, PROHIBITED),
    "refused": (IPv6Network(PROHIBITED),),
    "refused_care_of": (IPv6Network("2001:db8:a2::/64"),),
}


def bench_with(**config: Any) -> Bench:
    return Bench(config=replace(USUAL, **config))


# Precedence: each Binding Update has the fault that is named, and all that come behind it


@pytest.mark.rfc6275("10.3.1-b", "10.3.1-c", "9.5.1-b", "9.5.1-f", "6.1.7-b")
@pytest.mark.parametrize(
    ("fields", "room", "expected"),
    [
        pytest.param({"home": ELSEWHERE, "alternate": MULTICAST}, 0, Status.NOT_HOME_SUBNET, id="no home prefix"),
        pytest.param(
            {"home": HOME + 2, "alternate": MULTICAST}, 0, Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE, id="not allowed"
        ),
        pytest.param(
            {"home": PROHIBITED, "lifetime": 0}, 0, Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE, id="nothing to end"
        ),
        pytest.param({"home": PROHIBITED, "alternate": MULTICAST}, 0, Status.ADMINISTRATIVELY_PROHIBITED, id="refused"),
        pytest.param({"alternate": MULTICAST}, 0, Status.INVALID_CARE_OF_ADDRESS, id="not routable"),
        pytest.param({"care_of": OTHER_CARE_OF}, 0, Status.ADMINISTRATIVELY_PROHIBITED, id="refused care-of address"),
        pytest.param({}, 0, Status.INSUFFICIENT_RESOURCES, id="no room"),
        pytest.param({}, 1, None, id="nothing against it"),
    ],
)
def test_the_first_reason_counts(fields: dict[str, Any], room: int, expected: Status | None) -> None:
    bench = bench_with(max_bindings=room, **STRICT)
    effects = bench.take(update(**fields))
    assert [message.status for _, message in acknowledgements(effects)] == ([] if expected is None else [expected])


@pytest.mark.rfc6275("9.5.1-b", "10.3.1-f")
def test_an_old_sequence_number_counts_before_what_is_prohibited() -> None:
    bench = bench_with(**STRICT)
    bench.register(7)
    assert status(bench.take(update(7, care_of=OTHER_CARE_OF))) == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
    assert status(bench.take(update(8, care_of=OTHER_CARE_OF))) == Status.ADMINISTRATIVELY_PROHIBITED
    assert bench.agent.snapshot(bench.now)[0]["care_of_address"] == str(CARE_OF)


@pytest.mark.rfc6275("15.3-a")
def test_a_binding_that_a_new_configuration_refuses_is_not_taken_up_again() -> None:
    first = Bench()
    (kept,) = of_kind(first.register(), Remember)
    again = bench_with(refused=(IPv6Network(HOME),))
    assert [event.reason for event in events(again.take(Recalled(record=kept.record)), BindingRemoved)] == ["refused"]
    assert again.states() == {}


# Circles, §15.1


@pytest.mark.rfc6275("15.1-a")
@pytest.mark.parametrize("tested", [True, False], ids=["registered", "probing"])
def test_a_home_address_that_is_bound_here_is_no_care_of_address(tested: bool) -> None:
    bench = Bench()
    if tested:
        bench.register(1, care_of=HOME + 1)
    else:
        bench.take(update(1, care_of=HOME + 1))
    effects = bench.take(update(1, home=HOME + 1, care_of=HOME))
    assert status(effects) == Status.ADMINISTRATIVELY_PROHIBITED
    assert [event.home_address for event in events(effects, BindingRejected)] == [HOME + 1]
    assert str(HOME + 1) not in bench.states()


@pytest.mark.rfc6275("15.1-a")
def test_a_home_address_whose_node_is_home_again_may_be_visited() -> None:
    """What is kept of a binding that ended serves nobody: no packet comes back."""
    bench = Bench()
    bench.register(1)
    bench.take(from_home(2))
    assert status(bench.register(1, home=HOME + 1, care_of=HOME)) == Status.ACCEPTED


@pytest.mark.rfc6275("15.1-a")
def test_no_move_closes_a_circle() -> None:
    bench = Bench()
    bench.register(1, home=HOME + 1, care_of=HOME)
    bench.register(1, home=HOME + 2, care_of=CARE_OF)
    assert status(bench.register(1)) == Status.ACCEPTED
    assert status(bench.take(update(2, care_of=HOME + 1))) == Status.ADMINISTRATIVELY_PROHIBITED
    assert status(bench.take(update(2, home=HOME + 2, care_of=HOME))) == Status.ADMINISTRATIVELY_PROHIBITED


# An administrator's hand, §15.3


@pytest.mark.rfc6275("15.3-c", "9.5.1-f")
def test_cut_off_a_node_is_served_no_more() -> None:
    bench = Bench()
    bench.register(1)
    effects = bench.take(CutOff(home_address=HOME))
    assert names(effects) == ["RememberCutOff", "RemoveTunnel", "StopDefending", "Remember"]
    assert events(effects, HomeAddressCutOff) == [HomeAddressCutOff(home_address=HOME)]
    assert bench.agent.snapshot(bench.now) == [{"home_address": str(HOME), "state": "cut-off"}]
    assert bench.take(CutOff(home_address=HOME)) == []
    for sequence in (2, 3):
        assert status(bench.take(update(sequence))) == Status.ADMINISTRATIVELY_PROHIBITED
    assert status(bench.register(1, home=HOME + 1)) == Status.ACCEPTED
    bench.pass_time(MAX_DELETE_BCE_TIMEOUT)
    assert status(bench.take(update(4))) == Status.ADMINISTRATIVELY_PROHIBITED


@pytest.mark.rfc6275("15.3-c")
def test_readmitted_it_registers_like_any_other() -> None:
    bench = Bench()
    bench.register(7)
    bench.take(CutOff(home_address=HOME))
    effects = bench.take(Readmitted(home_address=HOME))
    assert names(effects) == ["ForgetCutOff"]
    assert events(effects, HomeAddressReadmitted) == [HomeAddressReadmitted(home_address=HOME)]
    assert bench.take(Readmitted(home_address=HOME)) == []
    assert status(bench.take(update(7))) == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW  # what it sent before is old
    assert status(bench.register(8)) == Status.ACCEPTED


@pytest.mark.rfc6275("15.3-c", "10.3.1-d")
def test_who_waits_for_an_answer_is_told() -> None:
    bench = Bench()
    bench.take(update(1))
    effects = bench.take(CutOff(home_address=HOME))
    assert status(effects) == Status.ADMINISTRATIVELY_PROHIBITED
    assert [effect.address for effect in of_kind(effects, StopDad)] == [HOME]


@pytest.mark.rfc6275("15.3-c", "10.3.2-a")
def test_the_way_home_is_open_to_all() -> None:
    """The end of a binding is never refused for who asks: the node on its home link would wait for it."""
    bench = Bench()
    bench.register(1)
    bench.take(CutOff(home_address=HOME))
    assert status(bench.take(from_home(2))) == Status.ACCEPTED
    bench.pass_time(MAX_DELETE_BCE_TIMEOUT)
    assert status(bench.take(from_home(3))) == Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE


@pytest.mark.rfc6275("15.3-c", "15.3-a")
def test_a_cut_off_is_told_before_the_bindings_after_a_restart() -> None:
    first = Bench()
    (kept,) = of_kind(first.register(), Remember)
    again = Bench()
    again.take(CutOff(home_address=HOME))
    assert names(again.take(Recalled(record=kept.record))) == ["Forget"]
    assert status(again.take(update(2))) == Status.ADMINISTRATIVELY_PROHIBITED


@pytest.mark.rfc6275("15.3-c")
def test_a_full_disk_does_not_undo_a_cut_off() -> None:
    bench = Bench()
    bench.register(1)
    (ended,) = of_kind(bench.take(CutOff(home_address=HOME)), Remember)
    assert bench.take(Refused(effect=ended, reason="full")) == []  # nobody asked
    assert bench.states() == {str(HOME): "cut-off"}
    assert status(bench.take(update(2))) == Status.ADMINISTRATIVELY_PROHIBITED
