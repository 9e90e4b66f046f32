"""Declaring a network: what follows from a declaration, and what is wrong with one."""

from collections.abc import Callable
from ipaddress import IPv6Address, IPv6Network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.emulation.impairment import Impairment
from lab.emulation.spec import Kind, LinkSpec
from lab.emulation.topology import Topology
from lab.errors import TopologyError
from topologies.two_visited_links import TwoVisitedLinks

Declaration = Callable[[Topology], object]


def declared(body: Declaration) -> Topology:
    """Make a topology of a declaration."""

    class Declared(Topology):
        def declare(self) -> None:
            body(self)

    return Declared()


def refusal(body: Declaration) -> str:
    with pytest.raises(TopologyError) as caught:
        declared(body)
    return str(caught.value)


def one(topology: Topology, name: str = "a") -> LinkSpec:
    return topology.link(name, "2001:db8:a::/64")


def other(topology: Topology, name: str = "b") -> LinkSpec:
    return topology.link(name, "2001:db8:b::/64")


def with_agent(topology: Topology) -> LinkSpec:
    """Declare a link with a home agent on it."""
    link = one(topology)
    topology.home_agent("ha", home=link, on=[])
    return link


def mobile_node(topology: Topology, home_address: str) -> object:
    """Declare a mobile node with a home address of its own."""
    return topology.mobile_node("mn", home=with_agent(topology), home_agent="ha", home_address=home_address)


# What is wrong


@pytest.mark.parametrize(
    "name",
    ["", "eleven-long", "a b", "a.b", "a/b", "-a", "_a", "..", "é", "x-eth0", "x-eth12", "a\n", "²", 5, None],
    ids=repr,
)
def test_names_are_those_that_interfaces_can_have(name: Any) -> None:
    assert refusal(lambda t: t.link(name, "2001:db8:a::/64")).startswith(f"{name!r} is no name: 1 to 10 letters")
    assert refusal(lambda t: t.host(name, on=[one(t)])).startswith(f"{name!r} is no name: 1 to 10 letters")


@pytest.mark.parametrize("name", ["lo", "all", "default", "lab"])
def test_names_that_mean_something_else_are_reserved(name: str) -> None:
    assert refusal(lambda t: one(t, name)) == f"the name {name} is reserved"


@pytest.mark.parametrize(
    "body",
    [
        lambda t: (one(t, "x"), other(t, "x")),
        lambda t: (t.host("x", on=[one(t)]), other(t, "x")),
        lambda t: t.host("x", on=[one(t, "x")]),
        lambda t: (t.host("x", on=[link := one(t)]), t.router("x", on=[link])),
    ],
    ids=["two links", "node and link", "link and node", "two nodes"],
)
def test_a_name_is_used_once(body: Declaration) -> None:
    assert refusal(body) == "the name x is used twice"


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("", "link a: '' is no IPv6 prefix: "),
        ("10.0.0.0/24", "link a: '10.0.0.0/24' is no IPv6 prefix: "),
        ("2001:db8:a::1/64", "link a: '2001:db8:a::1/64' is no IPv6 prefix: "),
        (None, "link a: None is no IPv6 prefix: "),
        ("2001:db8:a::/48", "link a: a prefix of 64 bits is needed, 2001:db8:a::/48 has 48"),
        ("2001:db8:a::1", "link a: a prefix of 64 bits is needed, 2001:db8:a::1 has 128"),
        ("fe80::/64", "link a: fe80::/64 is no prefix of global addresses"),
        ("ff0e::/64", "link a: ff0e::/64 is no prefix of global addresses"),
        ("::/64", "link a: ::/64 is no prefix of global addresses"),
    ],
)
def test_a_link_needs_a_prefix_to_form_addresses_from(prefix: Any, said: str) -> None:
    assert refusal(lambda t: t.link("a", prefix)).startswith(said)


@pytest.mark.parametrize("mtu", [0, 1279, 1501])
def test_a_link_carries_what_ipv6_needs_and_no_more_than_an_ethernet(mtu: int) -> None:
    said = refusal(lambda t: t.link("a", "2001:db8:a::/64", mtu=mtu))
    assert said == f"link a: its MTU is from 1280 to 1500 octets, not {mtu}"


def test_prefixes_do_not_overlap() -> None:
    said = refusal(lambda t: (one(t, "a"), one(t, "b")))
    assert said == "link b: its prefix 2001:db8:a::/64 overlaps that of link a"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (lambda t: t.host("h", on=[]), "h: put it on at least one link"),
        (lambda t: (one(t), t.host("h", on=["a"])), "h: 'a' is not a link of this topology"),
        (lambda t: t.host("h", on=[one(declared_elsewhere())]), "h: LinkSpec("),
        (lambda t: t.host("h", on=[one(t)] * 2), "h is on link a twice"),
        (lambda t: t.home_agent("ha", home=(link := one(t)), on=[link]), "ha is on link a twice"),
        (lambda t: t.access_router("ar", serves=(link := one(t)), on=[link]), "ar is on link a twice"),
        (
            lambda t: t.router("tenletters", on=[t.link(f"l{n}", f"2001:db8:{n}::/64") for n in range(11)]),
            "tenletters: tenletters-eth10 is too long for an interface: use a shorter name",
        ),
    ],
    ids=["none", "a name", "of another topology", "twice", "home twice", "served twice", "too many"],
)
def test_a_node_is_on_links_of_its_topology(body: Declaration, said: str) -> None:
    assert refusal(body).startswith(said)


def declared_elsewhere() -> Topology:
    return declared(lambda t: t.host("h", on=[t.link("l", "2001:db8:99::/64")]))


@pytest.mark.parametrize(
    "body",
    [
        lambda t: t.mobile_node("mn", home=one(t), home_agent="ha"),
        lambda t: (t.router("ha", on=[link := one(t)]), t.mobile_node("mn", home=link, home_agent="ha")),
        lambda t: (
            t.home_agent("ha", home=other(t), on=[link := one(t)]),
            t.mobile_node("mn", home=link, home_agent="ha"),
        ),
    ],
    ids=["nobody", "a router", "of another link"],
)
def test_a_mobile_node_needs_a_home_agent_on_its_home_link(body: Declaration) -> None:
    assert refusal(body).endswith("is no home agent of its home link")


def test_a_home_agent_may_be_declared_after_its_mobile_node() -> None:
    def body(topology: Topology) -> None:
        link = one(topology)
        topology.mobile_node("mn", home=link, home_agent="ha")
        topology.home_agent("ha", home=link, on=[])

    assert declared(body).node_specs["mn"].home_agent == "ha"


@pytest.mark.parametrize(
    ("home_address", "said"),
    [
        ("home", "mn: 'home' is no IPv6 address: "),
        ("2001:db8:b::100", "mn: the home address 2001:db8:b::100 is not on its home link a"),
        ("2001:db8:a::1", "mn: the home address 2001:db8:a::1 is taken"),
        ("2001:db8:a::", "mn: the home address 2001:db8:a:: is taken"),
    ],
    ids=["no address", "elsewhere", "of the router", "of all routers"],
)
def test_a_home_address_is_a_free_one_of_the_home_link(home_address: str, said: str) -> None:
    assert refusal(lambda t: mobile_node(t, home_address)).startswith(said)


def test_a_link_that_nobody_joins_cannot_be_reached() -> None:
    assert refusal(lambda t: (t.host("h", on=[one(t)]), other(t))) == "h cannot reach b: no router joins them"


def test_hosts_do_not_join_links() -> None:
    def body(topology: Topology) -> None:
        a, b = one(topology), other(topology)
        topology.host("between", on=[a, b])
        topology.host("h", on=[a])

    assert refusal(body) == "h cannot reach b: no router joins them"


def test_a_topology_declares_something() -> None:
    assert refusal(lambda _: None) == "Declared declares no nodes"
    with pytest.raises(TopologyError, match="Topology declares nothing: give it a method declare"):
        Topology()


# What follows


def test_addresses_follow_from_links_and_roles() -> None:
    nodes = TwoVisitedLinks().node_specs
    assert {name: str(node.address) for name, node in nodes.items()} == {
        "core": "2001:db8:c::1",
        "ha": "2001:db8:1::1",
        "ar1": "2001:db8:a1::1",
        "ar2": "2001:db8:a2::1",
        "cn": "2001:db8:c::2",
        "mn": "2001:db8:1::100",
    }
    assert nodes["mn"].plugs[0].address is None
    assert [link.name for link in nodes["ar1"].advertises] == ["visited1"]
    assert [link.name for link in nodes["ha"].advertises] == ["home"]


def test_home_addresses_keep_out_of_each_other_s_way() -> None:
    def body(topology: Topology) -> None:
        link = with_agent(topology)
        first, further = "2001:db8:a::101", ["2001:db8:a::103"]
        topology.mobile_node("mn1", home=link, home_agent="ha", home_address=first, further_home_addresses=further)
        for name in ("mn2", "mn3"):
            topology.mobile_node(name, home=link, home_agent="ha")
        topology.mobile_node("mn4", home=link, home_agent="ha", home_address="2001:db8:a::2")
        topology.mobile_node("mn5", home=link, home_agent="ha")
        topology.host("h", on=[link])

    nodes = declared(body).node_specs
    given = [str(nodes[name].address).rpartition("::")[2] for name in ("ha", "mn1", "mn2", "mn3", "mn4", "mn5", "h")]
    assert given == ["1", "101", "100", "102", "2", "104", "3"]
    assert [str(address) for address in nodes["mn1"].further_home_addresses] == ["2001:db8:a::103"]


def test_routes_take_a_shortest_way() -> None:
    """A ring of three routers, with a long way round for one link."""

    def body(topology: Topology) -> None:
        left, right, far, leaf = (topology.link(n, f"2001:db8:{n}::/64") for n in ("a", "b", "c", "d"))
        topology.router("r1", on=[left, right])
        topology.router("r2", on=[right, far])
        topology.router("r3", on=[left, far])
        topology.router("r4", on=[far, leaf])
        topology.host("h", on=[left])

    nodes = declared(body).node_specs
    hops = {str(prefix): str(hop) for prefix, hop in nodes["h"].routes.items()}
    assert hops == {
        "2001:db8:b::/64": "2001:db8:a::1",  # r1
        "2001:db8:c::/64": "2001:db8:a::2",  # r3, not r1 and r2
        "2001:db8:d::/64": "2001:db8:a::2",
    }
    assert str(nodes["r2"].routes[IPv6Network("2001:db8:d::/64")]) == "2001:db8:c::3"  # r4


def test_every_node_reaches_every_prefix() -> None:
    topology = TwoVisitedLinks()
    prefixes = {link.prefix for link in topology.link_specs.values()}
    for node in topology.node_specs.values():
        on = {plug.link.prefix for plug in node.plugs}
        expected = set() if node.kind is Kind.MOBILE_NODE else prefixes - on
        assert set(node.routes) == expected, node.name
        for hop in node.routes.values():
            assert any(hop in prefix for prefix in on)


@settings(max_examples=20)
@given(st.integers(min_value=2, max_value=30), st.data())
def test_no_pair_of_interfaces_has_equal_indexes_and_nothing_is_given_twice(count: int, data: st.DataObject) -> None:
    """A pair with equal indexes would report its carrier up to a second late."""

    def body(topology: Topology) -> None:
        links = [topology.link(f"l{n}", f"2001:db8:{n + 1:x}::/64") for n in range(count)]
        topology.router("core", on=links)
        for number in range(count):
            topology.host(f"h{number}", on=[data.draw(st.sampled_from(links))])

    topology = declared(body)
    plugs = [plug for node in topology.node_specs.values() for plug in node.plugs]
    assert all(plug.index != plug.peer_index for plug in plugs)
    bridges = [link.number + 1 for link in topology.link_specs.values()]
    assert not {*bridges} & {plug.peer_index for plug in plugs}
    for seen in (
        [plug.index for plug in plugs],
        [plug.peer_index for plug in plugs],
        [plug.link_layer_address for plug in plugs],
        [plug.interface for plug in plugs],
        [plug.address for plug in plugs],
        bridges,
    ):
        assert len(seen) == len(set(seen))
    assert all(isinstance(plug.address, IPv6Address) and plug.address in plug.link.prefix for plug in plugs)


@pytest.mark.rfc6275("10.4.4-a")
def test_a_link_knows_whether_it_has_a_dhcpv6_server() -> None:
    def two_links(topology: Topology) -> None:
        a, b = one(topology), other(topology)
        topology.router("r", on=[a, b])
        topology.dhcpv6_server("s", on=b)

    topology = declared(two_links)
    a, b = topology.link_specs["a"], topology.link_specs["b"]
    assert (topology.has_dhcpv6_server(a), topology.has_dhcpv6_server(b)) == (False, True)
    server = topology.node_specs["s"]
    assert (server.kind, server.serves_dhcpv6, server.address) == (Kind.HOST, b, b.prefix.network_address + 2)


def test_mininet_knows_nodes_and_links() -> None:
    topology = TwoVisitedLinks()
    assert set(topology.hosts()) == set(topology.node_specs)
    assert set(topology.switches()) == set(topology.link_specs)
    assert len(topology.links()) == sum(len(node.plugs) for node in topology.node_specs.values())


def test_a_link_may_impair_what_it_carries() -> None:
    def far(topology: Topology) -> None:
        topology.host("h", on=[topology.link("far", "2001:db8:b::/64", delay=0.02, loss=0.5)])

    topology = declared(far)
    assert topology.link_specs["far"].impairment == Impairment(delay=0.02, loss=0.5)
    assert topology.needs_netem
    assert not declared(with_agent).needs_netem


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"dely": 1.0}, "link far: dely: it can have delay, jitter, loss, rate"),
        ({"delay": 11.0}, "link far: delay=11: from 0 to 10 seconds"),
        ({"delay": float("nan")}, "link far: delay=nan: from 0 to 10 seconds"),
        ({"jitter": 0.01}, "link far: jitter=0.01: from 0 to the delay, which is 0 seconds"),
        ({"loss": 1.5}, "link far: loss=1.5: from 0 to 1"),
        ({"rate": 10.0}, "link far: rate=10: from 8000 to 3e+10 bits in a second"),
    ],
)
def test_no_link_does_the_impossible(given: dict[str, Any], said: str) -> None:
    assert said in refusal(lambda it: it.link("far", "2001:db8:b::/64", **given))
