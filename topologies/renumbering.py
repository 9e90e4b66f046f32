"""The home network is renumbered while its mobile node is away (RFC 6275 §10.6, §11.4.2, §11.4.3)."""

from ipaddress import IPv6Network

from lab.constants import Status
from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.spec import PrefixSpec
from lab.events import (
    BindingAcknowledged,
    BindingDeregistered,
    BindingRegistered,
    BindingUpdateSent,
    HomePrefixesChanged,
    PrefixesAdvertised,
    PrefixesLearned,
    PrefixesSolicited,
    ReturnedHome,
)
from topologies.two_visited_links import TwoVisitedLinks

LEFT = 40
"""Seconds for which the old prefix stays valid once it is deprecated: less than a binding lasts."""


class Renumbering(TwoVisitedLinks):
    """A home agent that tells its mobile nodes of new prefixes within seconds, where others wait ten minutes.

    cn ─── core ─── ha ═══ home ─── mn
             ├───── ar1 ══ visited1
             └───── ar2 ══ visited2
    """

    summary = "two visited links, and a home agent that soon tells of changed prefixes"

    def declare(self) -> None:
        """Declare links, then nodes."""
        super().declare()
        self.node_specs["ha"].options |= {"min_mob_pfx_adv_interval": 2.0, "max_mob_pfx_adv_interval": 6.0}


topos = {"renumbering": Renumbering}


@scenario(Renumbering, ro=False)
def renumbering(stage: Stage) -> None:
    """The home network gets a new prefix and deprecates its old one; away, the mobile node and its binding follow."""
    home_address = stage.network.node("mn").spec.address
    old = PrefixSpec(network=stage.network.topology.link_specs["home"].prefix)
    new = PrefixSpec(network=IPv6Network("2001:db8:9::/64"))
    ending = PrefixSpec(network=old.network, valid=LEFT, preferred=0)
    down = stage.stream("cn", "mn", every=0.01)
    up = stage.stream("mn", "cn", every=0.05)
    stage.wait(0.5)
    stage.say("The mobile node moves to visited1")
    stage.move("mn", "visited1")
    stage.expect(BindingRegistered, node="ha", home_address=home_address)
    stage.expect(BindingAcknowledged, node="mn", status=Status.ACCEPTED)
    stage.wait(2.5)
    stage.say("The home network gets a second prefix")
    stage.renumber("home", old, new)
    stage.expect(HomePrefixesChanged, node="ha")
    stage.expect(PrefixesAdvertised, node="ha", solicited=False, attempt=1, within=10.0)
    stage.expect(PrefixesSolicited, node="mn", attempt=1)
    stage.expect(PrefixesAdvertised, node="ha", solicited=True)
    _check_learned(stage, "new-prefix-learned", new)
    stage.wait(2.0)
    stage.say("The old prefix is deprecated, and near its end")
    stage.renumber("home", ending, new)
    stage.expect(HomePrefixesChanged, node="ha")
    stage.expect(PrefixesSolicited, node="mn", within=10.0)
    _check_learned(stage, "deprecated-prefix-learned", ending)
    sent = stage.expect(BindingUpdateSent, node="mn", peer=stage.network.node("ha").spec.address)
    told = stage.expect(
        BindingAcknowledged, node="mn", home_address=home_address, status=Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY
    )
    assert isinstance(sent.event, BindingUpdateSent)
    assert isinstance(told.event, BindingAcknowledged)
    lifetimes = sent.event.lifetime, told.event.lifetime
    detail = f"{lifetimes[0]} s asked, {lifetimes[1]} s granted, of a prefix with less than {LEFT} s"
    within = 0 < lifetimes[1] <= lifetimes[0] <= LEFT
    stage.check("binding-within-prefix", within, "10.6.4-a", "11.4.3-a", detail=detail)
    stage.wait(1.0)
    stage.say("The mobile node returns home, where the old prefix is still advertised")
    stage.move("mn", "home")
    stage.expect(BindingDeregistered, node="ha")
    stage.expect(ReturnedHome, node="mn")
    stage.wait(1.5)
    stage.check_survival(down, "10.4.2-a", "11.3.3-a")
    stage.check_survival(up, "10.4.5-a", "11.3.1-a")


def _check_learned(stage: Stage, name: str, prefix: PrefixSpec) -> None:
    """Check that the mobile node knows a prefix as it is advertised."""
    learned = stage.expect(PrefixesLearned, node="mn")
    assert isinstance(learned.event, PrefixesLearned)
    stage.check(name, f"{prefix.network} valid" in learned.event.prefixes, "11.4.3-a", detail=learned.event.prefixes)
