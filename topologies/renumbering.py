"""The home network is renumbered while its mobile node is away (RFC 6275 §10.6, §11.4.2, §11.4.3)."""

import socket
from functools import partial
from ipaddress import IPv6Address, IPv6Network

from lab.constants import Status
from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.emulation.spec import PrefixSpec
from lab.events import (
    BindingAcknowledged,
    BindingDeregistered,
    BindingRegistered,
    BindingRemoved,
    BindingUpdateSent,
    HomeAddressAdded,
    HomeAddressEnded,
    HomePrefixesChanged,
    PrefixesAdvertised,
    PrefixesLearned,
    PrefixesSolicited,
    ReturnedHome,
)
from topologies.two_visited_links import TwoVisitedLinks

NEW, NEW_HOME_ADDRESS = IPv6Network("2001:db8:9::/64"), IPv6Address("2001:db8:9::100")
PATIENCE = 5.0
"""Seconds for which a session waits."""
LEFT = 12
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
        self.node_specs["mn"].expected_home_addresses.append(NEW_HOME_ADDRESS)
        self.node_specs["ha"].options |= {"min_mob_pfx_adv_interval": 2.0, "max_mob_pfx_adv_interval": 6.0}


topos = {"renumbering": Renumbering}


@scenario(Renumbering, ro=False)
def renumbering(stage: Stage) -> None:
    """The home network gets a new prefix and loses its old one; away, the mobile node changes its home address."""
    mn = stage.network.node("mn")
    old_home_address = mn.spec.address
    old, new = PrefixSpec(network=stage.network.topology.link_specs["home"].prefix), PrefixSpec(network=NEW)
    ending = PrefixSpec(network=old.network, valid=LEFT, preferred=0)
    stage.wait(0.5)
    stage.say("The mobile node moves to visited1")
    stage.move("mn", "visited1")
    stage.expect(BindingRegistered, node="ha", home_address=old_home_address)
    stage.expect(BindingAcknowledged, node="mn", status=Status.ACCEPTED)
    stage.wait(2.5)
    stage.say("The home network gets a second prefix")
    stage.renumber("home", old, new)
    stage.expect(HomePrefixesChanged, node="ha")
    stage.expect(PrefixesAdvertised, node="ha", solicited=False, attempt=1, within=10.0)
    stage.expect(PrefixesSolicited, node="mn", attempt=1)
    stage.expect(PrefixesAdvertised, node="ha", solicited=True)
    _check_learned(stage, "new-prefix-learned", new)
    stage.expect(HomeAddressAdded, node="mn", home_address=NEW_HOME_ADDRESS)
    stage.expect(BindingRegistered, node="ha", home_address=NEW_HOME_ADDRESS)
    stage.expect(BindingAcknowledged, node="mn", home_address=NEW_HOME_ADDRESS)
    down = stage.stream("cn", "mn", every=0.01, to=NEW_HOME_ADDRESS)
    session = _session(stage, old_home_address)
    stage.wait(2.0)
    stage.say("The old prefix is deprecated, and near its end")
    stage.renumber("home", ending, new)
    _check_deprecated(stage, ending, old_home_address)
    stage.say("The old prefix is advertised no more, and ends")
    stage.renumber("home", new)
    stage.expect(HomeAddressEnded, node="mn", home_address=old_home_address, within=2.0 * LEFT)
    stage.expect(BindingRemoved, node="ha", home_address=old_home_address, within=2.0 * LEFT, ever=True)
    left = {entry.ip for entry in mn.namespace.netlink.addresses()}
    gone = old_home_address not in left and NEW_HOME_ADDRESS in left
    stage.check("home-address-exchanged", gone, "11.4.3-a", detail=f"{NEW_HOME_ADDRESS} for {old_home_address}")
    _check_told(stage, session)
    up = stage.stream("mn", "cn", every=0.05)
    stage.wait(1.5)
    stage.say("The mobile node returns home, by its new home address alone")
    stage.move("mn", "home")
    stage.expect(BindingDeregistered, node="ha", home_address=NEW_HOME_ADDRESS)
    stage.expect(ReturnedHome, node="mn", home_address=NEW_HOME_ADDRESS)
    stage.wait(1.5)
    stage.check_survival(down, "10.4.2-a", "11.3.3-a", "11.4.3-a")
    stage.check_survival(up, "10.4.5-a", "11.3.1-a")


def _session(stage: Stage, home_address: IPv6Address) -> tuple[socket.socket, socket.socket]:
    """Open a TCP connection of the mobile node from a home address to the correspondent; give both its ends."""
    make = partial(socket.socket, socket.AF_INET6, socket.SOCK_STREAM)
    mn, cn = stage.network.node("mn"), stage.network.node("cn")
    client: socket.socket = mn.namespace.run(make)
    with cn.namespace.run(make) as listener:
        listener.bind((str(cn.spec.address), 0))
        listener.listen()
        client.bind((str(home_address), 0))
        client.settimeout(PATIENCE)
        client.connect(listener.getsockname())
        return client, listener.accept()[0]


def _check_told(stage: Stage, session: tuple[socket.socket, socket.socket]) -> None:
    """Check that a session hears of the end of its home address, and need not wait for what cannot come."""
    client, peer = session
    with client, peer:
        try:
            told = repr(client.recv(1))
        except OSError as error:
            told = type(error).__name__
        if told == TimeoutError.__name__:
            told = "nothing was told; a kernel without INET_DIAG_DESTROY, as the guest's is, ends no sessions"
    stage.check("session-told", told == ConnectionAbortedError.__name__, "11.4.3-a", detail=told)


def _check_learned(stage: Stage, name: str, prefix: PrefixSpec) -> None:
    """Check that the mobile node knows a prefix as it is advertised."""
    learned = stage.expect(PrefixesLearned, node="mn")
    assert isinstance(learned.event, PrefixesLearned)
    stage.check(name, f"{prefix.network} valid" in learned.event.prefixes, "11.4.3-a", detail=learned.event.prefixes)


def _check_deprecated(stage: Stage, ending: PrefixSpec, old_home_address: IPv6Address) -> None:
    """Check that the binding of the old home address is shortened to the lifetime of its prefix."""
    stage.expect(HomePrefixesChanged, node="ha")
    stage.expect(PrefixesSolicited, node="mn", within=10.0)
    _check_learned(stage, "deprecated-prefix-learned", ending)
    ha = stage.network.node("ha").spec.address
    sent = stage.expect(BindingUpdateSent, node="mn", peer=ha, home_address=old_home_address)
    told = stage.expect(
        BindingAcknowledged, node="mn", home_address=old_home_address, status=Status.ACCEPTED_PREFIX_DISCOVERY_NECESSARY
    )
    assert isinstance(sent.event, BindingUpdateSent)
    assert isinstance(told.event, BindingAcknowledged)
    lifetimes = sent.event.lifetime, told.event.lifetime
    detail = f"{lifetimes[0]} s asked, {lifetimes[1]} s granted, of a prefix with less than {LEFT} s"
    within = 0 < lifetimes[1] <= lifetimes[0] <= LEFT
    stage.check("binding-within-prefix", within, "10.6.4-a", "11.4.3-a", detail=detail)
