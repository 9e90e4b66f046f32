"""A home agent is a correspondent node as well, and mixes up neither (RFC 6275 §8.2, §9.5.1, §9.6)."""

from ipaddress import IPv6Address

import pytest

from lab.auth.return_routability import binding_management_key
from lab.constants import Status
from lab.engine.authorization import sign
from lab.engine.config import CorrespondentConfig, HomeAgentConfig
from lab.engine.io import AskUse, Effect, InstallBinding, Received, Refused, RemoveBinding, Used
from lab.wire.mobility import (
    BindingRefreshRequest,
    BindingUpdate,
    CareOfTest,
    CareOfTestInit,
    HomeTest,
    HomeTestInit,
    MobilityMessage,
)
from lab.wire.options import NonceIndices
from lab.wire.packet import Packet, build, mobility_packet, parse
from tests.engine.effects import of_kind, sent
from tests.engine.home_agent_bench import AGENT, CARE_OF, HOME, PREFIX, A, Bench, from_home, status, update

ELSEWHERE = IPv6Address("2001:db8:2::100")
"""A home address that another home agent serves."""


def arrive(bench: Bench, packet: Packet) -> list[Effect]:
    return bench.take(Received(packet=parse(build(packet)), interface="ha-eth1"))


def ask(bench: Bench, source: IPv6Address, init: MobilityMessage) -> HomeTest | CareOfTest:
    (answer,) = sent(arrive(bench, mobility_packet(source, AGENT, init)))
    assert isinstance(answer.payload, HomeTest | CareOfTest)
    return answer.payload


def bind(bench: Bench, home: IPv6Address, sequence: int = 1, lifetime: int = 40) -> list[Effect]:
    """Go through return routability and register with the home agent as a correspondent."""
    home_test = ask(bench, home, HomeTestInit(cookie=b"homehome"))
    care_of_test = ask(bench, CARE_OF, CareOfTestInit(cookie=b"care-ofc"))
    indices = NonceIndices(home=home_test.nonce_index, care_of=care_of_test.nonce_index)
    message = BindingUpdate(sequence=sequence, flags=A, lifetime=lifetime, options=(indices,))
    key = binding_management_key(home_test.keygen_token, care_of_test.keygen_token)
    return arrive(bench, sign(mobility_packet(CARE_OF, AGENT, message, home_address=home), key, CARE_OF, AGENT))


@pytest.mark.rfc6275("8.2-a", "9.3.2-a")
def test_it_binds_mobile_nodes_of_others() -> None:
    bench = Bench()
    effects = bind(bench, ELSEWHERE)
    assert status(effects) == Status.ACCEPTED
    assert of_kind(effects, InstallBinding) == [InstallBinding(home_address=ELSEWHERE, care_of_address=CARE_OF)]
    assert bench.states() == {str(ELSEWHERE): "bound"}


@pytest.mark.rfc6275("9.5.1-c")
def test_a_home_registration_does_not_become_another() -> None:
    bench = Bench()
    bench.register()
    assert status(bind(bench, HOME, sequence=9)) == Status.REGISTRATION_TYPE_CHANGE_DISALLOWED
    assert bench.states() == {str(HOME): "registered"}


@pytest.mark.rfc6275("9.5.1-c")
def test_another_binding_does_not_become_a_home_registration() -> None:
    bench = Bench()
    bind(bench, HOME)
    assert status(bench.take(update(9))) == Status.REGISTRATION_TYPE_CHANGE_DISALLOWED
    assert status(bench.take(from_home(10))) == Status.REGISTRATION_TYPE_CHANGE_DISALLOWED
    assert bench.states() == {str(HOME): "bound"}


@pytest.mark.rfc6275("9.6-a")
def test_no_home_registration_makes_room() -> None:
    bench = Bench(
        HomeAgentConfig(
            interface="ha-eth0",
            address=AGENT,
            home_prefixes=(PREFIX,),
            correspondent=CorrespondentConfig(max_bindings=1, evict=True),
        )
    )
    bench.register()
    bind(bench, ELSEWHERE)
    other = IPv6Address("2001:db8:2::101")
    assert of_kind(bind(bench, other), RemoveBinding) == [RemoveBinding(home_address=ELSEWHERE)]
    assert bench.states() == {str(HOME): "registered", str(ELSEWHERE): "ended", str(other): "bound"}


@pytest.mark.rfc6275("9.5.5-a")
def test_bindings_are_refreshed_and_end() -> None:
    bench = Bench()
    bind(bench, ELSEWHERE)
    assert of_kind(bench.pass_time(30.0), AskUse) == [AskUse(home_address=ELSEWHERE)]
    (request,) = sent(bench.take(Used(home_address=ELSEWHERE, peer=None, used=True)))
    assert isinstance(request.payload, BindingRefreshRequest)
    assert of_kind(bench.pass_time(10.0), RemoveBinding) == [RemoveBinding(home_address=ELSEWHERE)]


def test_a_binding_that_the_plane_refuses_ends() -> None:
    bench = Bench()
    (install,) = of_kind(bind(bench, ELSEWHERE), InstallBinding)
    assert of_kind(bench.take(Refused(effect=install, reason="no")), RemoveBinding)
