"""Messages as captures have them: their legs, what tunnels are, what came, and every field."""

from collections.abc import Sequence
from typing import Any

import pytest
from scapy.layers import inet6

from lab.events import NodeFailed, NodeKilled, NodeStarted, Record
from lab.report.address_book import address_book
from lab.report.ladder import Message, lifelines, messages
from lab.report.ladder_rows import rows
from lab.report.routes import Way
from tests.report.played import (
    BEGAN,
    CARE_OF,
    CN,
    DOWN,
    HOME,
    TUNNEL,
    Captures,
    acknowledgement,
    back_home,
    captures,
    home_test_init,
    network,
    records,
    update,
)
from tests.report.results import result

BOOK = address_book(network(), records())


def only(packet: Any, way: Sequence[str], told: Sequence[Record] = ()) -> Message:
    seen = Captures()
    seen.carry(0.05, packet, way)
    (found,) = messages(seen.frames, address_book(network(), [*records(), *told]))
    return found


def fields(message: Message, title: str) -> dict[str, str]:
    (layer,) = [layer for layer in message.layers if layer.title == title]
    return dict(layer.fields)


def test_messages_are_found_once_with_every_frame() -> None:
    found = messages(captures(), BOOK)
    assert [message.name for message in found] == ["Binding Update", "Binding Acknowledgement", "Home Test Init"]
    assert [message.number for message in found] == [1, 2, 3]
    registration = found[0]
    (leg,) = registration.legs
    assert (leg.source, leg.destination, leg.arrived) == ("mn", "ha", True)
    assert [frame.link for frame in leg.frames] == ["away", "core-ar", "core-ha"]
    seen = {(frame.link, frame.number): frame for frame in captures()}
    assert all(seen[frame.link, frame.number].octets == frame.octets for frame in leg.frames)


def test_a_tunnel_is_a_leg_of_its_own() -> None:
    init = messages(captures(), BOOK)[-1]
    legs = [(leg.source, leg.destination, leg.way) for leg in init.legs]
    assert legs == [("mn", "ha", Way.TUNNEL), ("ha", "cn", Way.PLAIN)]
    assert (init.source, init.destination, init.arrived) == ("mn", "cn", True)
    assert [layer.title for layer in init.layers] == ["IPv6 of the tunnel", "IPv6", "Home Test Init"]


def test_fields_are_those_of_the_packet() -> None:
    message = only(update(), TUNNEL[::-1])
    assert fields(message, "IPv6")["source"] == f"{CARE_OF} (care-of address of mn on away)"
    assert fields(message, "Home Address option") == {"home address": f"{HOME} (home address of mn)"}
    assert fields(message, "Binding Update") == {
        "sequence number": "1",
        "flags": "HA",
        "lifetime": "15 × 4 s = 60 s",
    }
    assert fields(message, "Alternate Care-of Address")["alternate care-of address"].startswith(CARE_OF)
    answer = only(acknowledgement(), TUNNEL)
    assert fields(answer, "Type 2 routing header") == {"home address": f"{HOME} (home address of mn)"}
    assert fields(only(home_test_init(), DOWN[::-1]), "Home Test Init") == {"init cookie": bytes(range(8)).hex()}


@pytest.mark.parametrize(
    ("packet", "remark"),
    [
        (update(), "#1, 60 s"),
        (update(0, sequence=9), "#9, ends the binding"),
        (acknowledgement(), "#1, accepted for 60 s"),
        (acknowledgement(133), "#1, refused: status 133"),
        (home_test_init(), ""),
    ],
)
def test_what_matters_is_said_at_a_glance(packet: Any, remark: str) -> None:
    assert only(packet, TUNNEL).remark == remark


def test_a_message_for_who_has_left_did_not_arrive() -> None:
    assert not only(home_test_init(), DOWN).arrived
    assert only(acknowledgement(), TUNNEL).arrived
    assert not only(acknowledgement(), TUNNEL[:4]).arrived


@pytest.mark.parametrize("event", [NodeFailed(name="ha"), NodeKilled(name="ha")])
def test_a_message_to_who_is_dead_did_not_arrive(event: NodeFailed | NodeKilled) -> None:
    died = Record(time=BEGAN + 0.01, node="lab", event=event)
    assert not only(update(), TUNNEL[::-1], [died]).arrived
    again = Record(time=BEGAN + 0.02, node="ha", event=NodeStarted(role="home-agent", plane="user"))
    assert only(update(), TUNNEL[::-1], [died, again]).arrived


def test_what_is_sent_again_is_another_message() -> None:
    seen = Captures()
    for time in (0.0, 0.5, 3.0):
        seen.carry(time, update(), TUNNEL[::-1])
    assert [round(message.time - BEGAN, 3) for message in messages(seen.frames, BOOK)] == [0.0, 0.5, 3.0]


def test_a_message_that_makes_no_sense_is_shown_as_octets() -> None:
    packet = update()
    packet.lastlayer().mhtype = 99
    assert only(packet, TUNNEL[::-1]).name == "Mobility Header 99"


def test_who_knows_no_mobility_header_says_so() -> None:
    problem = inet6.IPv6(src=CN, dst=HOME) / inet6.ICMPv6ParamProblem(code=1, ptr=6) / home_test_init()
    message = only(problem, TUNNEL)
    assert (message.name, fields(message, "Parameter Problem")) == ("Parameter Problem", {"code": "1", "pointer": "6"})


def test_without_a_network_addresses_stand_for_nodes() -> None:
    (message, *_) = messages(captures(), address_book(result(), []))
    assert message.source == CARE_OF


def test_lifelines_begin_with_the_mobile_node_and_its_home_agent() -> None:
    assert lifelines(network(), messages(captures(), BOOK)) == ["mn", "ha", "cn"]
    assert lifelines(network(), []) == []


def test_rows_are_messages_moves_and_what_nodes_did_in_the_order_of_time() -> None:
    found = messages(captures(), BOOK)
    made = rows(found, [*records(), *back_home()], ["mn", "ha", "cn"], BOOK)
    assert [row.message.name if row.message else row.text for row in made] == [
        "Move 1: mn from home to away",
        "notices a new link",
        "Binding Update",
        "binds mn to away for 60 s",
        "Binding Acknowledgement",
        "Home Test Init",
        "ends the binding of mn",
        "is home again",
    ]
    tunnel, plain = made[5].arrows
    assert (tunnel.start, tunnel.end, plain.end) == (16.667, 50.0, 83.333)
    assert (made[5].left, round(made[5].right, 3), made[5].rightwards) == (16.667, 16.667, False)


def test_without_messages_there_are_no_rows() -> None:
    assert rows([], records(), [], BOOK) == []
