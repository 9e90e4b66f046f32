"""Attacks by errors that anybody can send in the name of a correspondent (RFC 6275 §11.3.5, §11.3.6)."""

from ipaddress import IPv6Address

from lab.emulation.exercise import AttackStage, Matches, exercise
from lab.emulation.forged_icmpv6 import parameter_problem
from lab.emulation.forgery import binding_error, care_of_test_init
from lab.safeguards import Safeguard
from lab.verify.frame import Frame
from topologies.attack_range import AttackRange, filter_ingress, go_straight

NEXT_HEADER_AT = 6
COOKIE = b"no matter"[:8]
SEVERAL = 3
"""So many packets are no chance."""


@exercise(AttackRange, "11.3.5", Safeguard.AWAITED_ANSWER)
def forged_parameter_problem(stage: AttackStage) -> None:
    """An outsider says in the correspondent's name that it knows no mobility messages, to end the direct path."""
    mn, cn = (stage.network.node(name).spec.address for name in ("mn", "cn"))
    outsider = stage.attacker("outsider")
    stage.stream("mn", "cn", every=0.05)
    go_straight(stage, "visited1")
    care_of_address = stage.care_of_address("mn", "visited1")
    stage.say("The outsider complains of a Care-of Test Init that the mobile node may have sent")
    forged = parameter_problem(cn, care_of_test_init(care_of_address, cn, COOKIE), pointer=NEXT_HEADER_AT)
    stage.attack(outsider, outsider.framed(forged), note="Parameter Problem in the name of cn")
    stage.succeeds_if("visited1", _by_tunnel(mn, cn), "a packet that takes the tunnel again", at_least=SEVERAL)
    stage.wait(2.0)


@exercise(AttackRange, "11.3.6", Safeguard.INGRESS_FILTERING)
def forged_binding_error(stage: AttackStage) -> None:
    """An outsider says in the correspondent's name that it has no binding, to end the direct path."""
    mn, cn = (stage.network.node(name).spec.address for name in ("mn", "cn"))
    outsider = stage.attacker("outsider")
    filter_ingress(stage, "ar3", "outside")
    stage.stream("mn", "cn", every=0.05)
    go_straight(stage, "visited1")
    care_of_address = stage.care_of_address("mn", "visited1")
    stage.say("The outsider complains of the mobile node's Home Address option")
    forged = binding_error(cn, care_of_address, mn)
    stage.attack(outsider, forged, note="Binding Error in the name of cn")
    stage.wait(1.0)
    stage.attack(outsider, forged, note="Binding Error in the name of cn, once more")
    stage.succeeds_if("visited1", _by_tunnel(mn, cn), "a packet that takes the tunnel again", at_least=SEVERAL)
    stage.wait(2.0)


def _by_tunnel(home_address: IPv6Address, correspondent: IPv6Address) -> Matches:
    def matches(frame: Frame) -> bool:
        inner = frame.inner
        return inner is not None and (inner.source, inner.destination) == (home_address, correspondent)

    return matches
