"""A mobile node under way, and what else can happen to it: hints, crashes, its interface taken down."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from lab.emulation.network import Network
from lab.emulation.settings import Settings
from lab.engine.config import DadMode
from lab.events import (
    BindingAcknowledged,
    BindingUpdateSent,
    CareOfAddressFormed,
    DadFinished,
    DadStarted,
    Event,
    LinkHinted,
    LinkWentDown,
    LinkWentUp,
    MoveBegan,
    NodeStarted,
    ProxyStarted,
    ReturnedHome,
)
from tests.lab.networks import HOME, Here, Neighbourhood, until

pytestmark = pytest.mark.privileged


@pytest.fixture(scope="module")
def here() -> Iterator[Here]:
    yield from bring_up(Settings())


@pytest.fixture(scope="module")
def with_standard_dad() -> Iterator[Here]:
    yield from bring_up(Settings(dad=DadMode.STANDARD))


def bring_up(settings: Settings) -> Iterator[Here]:
    with Network(Neighbourhood, settings=settings, captures=False) as network:
        network.start()
        network.wait_settled()
        yield Here(network)


def since_last_move(here: Here) -> list[Event]:
    """Give the mobile node's events since it was last moved."""
    records = here.network.context.collector.records()
    began = max(record.time for record in records if isinstance(record.event, MoveBegan))
    return [record.event for record in records if record.node == "mn" and record.time >= began]


def is_reached(here: Here) -> None:
    """Check that the home address is reached by a node that knows nothing of Mobile IPv6."""
    assert "1 received" in here.run("core", "ping", "-c1", "-W5", str(HOME))


@pytest.mark.rfc6275("11.5.1-a", "11.7.1-a", "11.7.3-a")
def test_a_hint_of_the_link_layer_is_enough(here: Here) -> None:
    """Without any loss of carrier the mobile node finds the new link, and home again."""
    for link in ("visited1", "visited2"):
        began = here.mark()
        here.network.move("mn", link, hint=True)
        here.wait_registered(link, since=began)
        kinds = [type(event) for event in since_last_move(here)]
        assert LinkHinted in kinds
        assert LinkWentDown not in kinds
        assert LinkWentUp not in kinds
        is_reached(here)
    began = here.mark()
    here.network.move("mn", "home", hint=True)
    here.wait(ReturnedHome, node="mn", since=began)
    is_reached(here)


@pytest.mark.rfc6275("11.5.1-a")
def test_a_move_without_any_sign_is_found_out(here: Here) -> None:
    """Neither carrier nor hint: the advertisements of another router, and the silence of the own, tell it."""
    here.return_home()
    began = here.mark()
    node, link = here["mn"], here.network.bridge("visited1")
    node.context.links.netlink.set_link(node.spec.plugs[0].peer_index, master=link.index)
    node.link_name = "visited1"
    here.wait_registered("visited1", since=began)
    is_reached(here)


@pytest.mark.rfc6275("11.5.3-a")
def test_standard_detection_of_duplicates_comes_before_registration(with_standard_dad: Here) -> None:
    care_of = with_standard_dad.visit("visited1")
    events = since_last_move(with_standard_dad)
    kinds = [type(event) for event in events]
    formed, started, finished, sent, acknowledged = (
        kinds.index(kind)
        for kind in (CareOfAddressFormed, DadStarted, DadFinished, BindingUpdateSent, BindingAcknowledged)
    )
    assert formed < started < finished < sent < acknowledged
    assert events[formed] == CareOfAddressFormed(address=care_of, optimistic=False)
    assert events[finished] == DadFinished(address=care_of, unique=True)
    is_reached(with_standard_dad)


@pytest.mark.rfc6275("11.7.3-b", "11.7.1-a")
def test_a_mobile_node_that_was_killed_registers_again(here: Here) -> None:
    """Its sequence number is lost: the home agent tells the last one. What it left in the kernel is in nobody's way."""
    here.visit("visited1")
    sequence = bindings(here, "ha")["sequence"]
    began = kill_and_restart(here, "mn")
    here.wait_registered("visited1", since=began)
    assert bindings(here, "ha")["sequence"] > sequence
    is_reached(here)
    care_of = here.visit("visited2")
    assert bindings(here, "ha")["care_of_address"] == str(care_of)
    assert here.run("mn", "ip", "-6", "-o", "address", "show", "dev", "mn-eth0", "scope", "global").count("inet6") == 1
    here.return_home()
    is_reached(here)
    assert here.run("mn", "ip", "-6", "rule", "show").count("proto 62") == 1


@pytest.mark.rfc6275("15.3-a", "10.4.1-a")
def test_a_home_agent_that_was_killed_serves_again(here: Here) -> None:
    """It knows its bindings still, and defends the home address without being told of it anew."""
    here.visit("visited1")
    before = bindings(here, "ha")
    began = kill_and_restart(here, "ha")
    here.wait(ProxyStarted, node="ha", since=began)
    recalled = bindings(here, "ha")
    assert {**recalled, "remaining": 0} == {**before, "remaining": 0}
    assert recalled["remaining"] <= before["remaining"]
    is_reached(here)
    here.visit("visited2")
    is_reached(here)
    here.return_home()
    is_reached(here)


@pytest.mark.parametrize("link", ["visited1", "home"])
def test_an_interface_that_was_taken_down_works_again(here: Here, link: str) -> None:
    """The kernel drops addresses and routes then; nobody has moved, so nothing is registered anew."""
    here.return_home() if link == "home" else here.visit(link)
    began = here.mark()
    for how in ("down", "up"):
        here.run("mn", "ip", "link", "set", "mn-eth0", how)
    here.wait(LinkWentUp, node="mn", since=began)
    until(lambda: "1 received" in here.run("core", "ping", "-c1", "-W1", str(HOME)), "the mobile node is reached again")


def test_a_home_agent_s_interface_that_was_taken_down_works_again(here: Here) -> None:
    here.visit("visited1")
    for how in ("down", "up"):
        here.run("ha", "ip", "link", "set", "ha-eth0", how)
    here.run("ha", "ip", "-6", "address", "add", "2001:db8:1::1/64", "dev", "ha-eth0", "nodad")  # the administrator's
    until(lambda: "1 received" in here.run("core", "ping", "-c1", "-W1", str(HOME)), "the mobile node is reached again")
    here.return_home()
    is_reached(here)


def bindings(here: Here, name: str) -> dict[str, Any]:
    """Ask a node for its one binding."""
    (entry,) = here[name].control("bindings")
    return dict(entry)


def kill_and_restart(here: Here, name: str) -> float:
    """Crash a daemon and start it anew; give an instant before."""
    began = here.mark()
    here[name].stop_daemon(signal.SIGKILL)
    here[name].start_daemon()
    here[name].wait_ready()
    here.wait(NodeStarted, node=name, since=began)
    return began
