"""Floods that are to exhaust a correspondent (RFC 6275 §15.4.5)."""

import time
from ipaddress import IPv6Network
from typing import Any

from scapy.layers.inet6 import MIP6MH_BU

from lab.auth.return_routability import AUTHENTICATOR_OCTETS
from lab.emulation.attacker import BALANCE, NUMBER, Attacker
from lab.emulation.exercise import AttackStage, exercise
from lab.emulation.forgery import correspondent_registration, home_test_init
from lab.emulation.node import LabNode
from lab.emulation.process import Used
from lab.engine.correspondent import FORGERIES_AT_ONCE, FORGERIES_PER_SECOND
from lab.safeguards import Safeguard
from topologies.attack_range import AttackRange, go_straight
from topologies.attack_range_correspondent import HOME_TEST, ask

KEPT = 600
"""Octets that a correspondent has more for each packet, if it keeps that; what comes and goes is less by far."""
METRIC = 10
RATE = 800.0
"""Packets in a second: fewer than a correspondent can answer, even on a machine that has much else to do."""
AT_WORK = 0.25
"""The part of a flood after which a correspondent has what it takes to be at work at all: that is not counted."""
PATIENCE = 60.0
"""Seconds more than a flood takes, where it has to wait for a processor."""
FALSE_SOURCES, FALSE_HOMES = IPv6Network("2001:db8:f00d::/64"), IPv6Network("2001:db8:f00e::/64")
FALSE_SOURCE, FALSE_HOME = (net.network_address + int.from_bytes(NUMBER, "big") for net in (FALSE_SOURCES, FALSE_HOMES))


@exercise(AttackRange, "15.4.5", Safeguard.STATELESS_TESTS)
def test_init_flood(stage: AttackStage) -> None:
    """An outsider asks for home tests from very many addresses, to fill the memory of a correspondent."""
    cn = stage.network.node("cn").spec.address
    used = flood(stage, stage.attacker("outsider"), home_test_init(FALSE_SOURCE, cn, BALANCE))
    count = stage.network.context.settings.flood * (1 - AT_WORK)
    kept = used.memory / count
    stage.succeeds_by(f"the correspondent has {kept:.0f} octets of memory more for each packet", succeeded=kept > KEPT)


@exercise(AttackRange, "15.4.5", Safeguard.FORGERY_BUDGET)
def false_update_flood(stage: AttackStage) -> None:
    """An outsider sends Binding Updates of very many addresses, for a correspondent to compute their authenticators."""
    outsider, count = stage.attacker("outsider"), stage.network.context.settings.flood
    index = ask(stage, outsider, HOME_TEST, outsider.address).index
    began = time.monotonic()
    flood(stage, outsider, false_update(stage, index))
    budget = FORGERIES_AT_ONCE + FORGERIES_PER_SECOND * (time.monotonic() - began)
    computed = stage.network.node("cn").control("counters")["drops"].get("wrong-authenticator", 0)
    told = f"the correspondent computed {computed} of {count} authenticators"
    stage.succeeds_by(told, succeeded=computed > 2 * budget)


def false_update(stage: AttackStage, index: int) -> Any:
    """Make a Binding Update that is right but for its authenticator: nonce index and all are those of now."""
    cn = stage.network.node("cn").spec.address
    packet = correspondent_registration(FALSE_HOME, cn, FALSE_SOURCE, key=b"", indices=(index, index), sequence=1)
    signature = BALANCE.ljust(AUTHENTICATOR_OCTETS, b"\0")
    packet[MIP6MH_BU].options[-1].authenticator = int.from_bytes(signature, "big")
    return packet


def swallow_answers(cn: LabNode, router: LabNode) -> None:
    """Have what a correspondent answers to addresses of nobody end at its router, who would look for each of them."""
    (link,) = (plug.link for plug in cn.spec.plugs)
    plug = router.spec.plug_on(link)
    assert plug is not None
    cn.namespace.netlink.add_route(FALSE_SOURCES, via=plug.address)
    router.namespace.netlink.add_blackhole(FALSE_SOURCES, metric=METRIC)


def flood(stage: AttackStage, attacker: Attacker, packet: Any) -> Used:
    """Flood the correspondent while the mobile node moves; tell what that cost it, and check that it served as ever."""
    cn, count = stage.network.node("cn"), stage.network.context.settings.flood
    swallow_answers(cn, stage.network.node("core"))
    stage.stream("cn", "mn", every=0.05)
    go_straight(stage, "visited1")
    stage.say(f"{attacker.name} sends {count} packets, each from another address")
    flooding = stage.flood(attacker, packet, count=count, rate=RATE, note="one of very many")
    stage.wait(count / RATE * AT_WORK)
    before = cn.used()
    go_straight(stage, "visited2")
    stage.check("registered-meanwhile", flooding.poll() is None, "15.4.5-a", detail="the flood went on afterwards")
    flooding.wait(timeout=count / RATE + PATIENCE)
    stage.wait(2.0)
    after = cn.used()
    used = Used(cpu=after.cpu - before.cpu, memory=after.memory - before.memory)
    stage.say(f"What came since then cost cn {used.cpu:.2f} s of a processor, and {used.memory >> 10} KiB of memory")
    return used
