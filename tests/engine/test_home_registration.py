"""Registering with the home agent: the Binding Update, its retries, answers and refreshes (RFC 6275 §11.7, §11.8)."""

from dataclasses import replace
from ipaddress import IPv6Address
from itertools import pairwise

import pytest

from lab.constants import INITIAL_BINDACK_TIMEOUT, MAX_UPDATE_RATE, Status
from lab.engine.config import DadMode
from lab.engine.io import (
    AddAddress,
    DadFailed,
    DadSucceeded,
    DeadlineReached,
    Effect,
    InstallReverseTunnel,
    LinkDown,
    LinkHint,
    RemoveAddress,
    Report,
    Send,
    StartDad,
    StopDad,
)
from lab.events import BindingAcknowledged, BindingRefused, CareOfAddressLost, PacketDropped
from lab.wire.mobility import BindingAcknowledgement, BindingUpdate, BindingUpdateFlag
from lab.wire.options import AlternateCareOfAddress, BindingRefreshAdvice
from tests.engine.effects import events, names, of_kind
from tests.engine.mobile_node_bench import (
    AGENT,
    HOME,
    HOME_LINK,
    INTERFACE,
    MAC,
    VISITED1,
    VISITED2,
    MobileBench,
    acknowledgement,
    carrier,
    mobile_config,
    update_packets,
    updates,
)

REJECTIONS = [
    pytest.param(128, marks=pytest.mark.case("MN-025")),
    pytest.param(129, marks=pytest.mark.case("MN-026")),
    pytest.param(130, marks=pytest.mark.case("MN-027")),
    pytest.param(131, marks=pytest.mark.case("MN-028")),
    pytest.param(132, marks=pytest.mark.case("MN-029")),
    133,
    pytest.param(134, marks=pytest.mark.case("MN-030")),
    pytest.param(255, marks=pytest.mark.case("MN-032")),
]


def sent_at(bench: MobileBench, seconds: float) -> list[tuple[float, BindingUpdate]]:
    return [(when, update) for when, effects in bench.timeline(seconds) for update in updates(effects)]


# What it says


@pytest.mark.rfc6275("11.7.1-a", "5.1-d", "6.3-a", "6.1.1-b")
@pytest.mark.case("MN-005", "MN-006", "MN-011")
def test_the_first_binding_update() -> None:
    ((packet, update),) = update_packets(MobileBench().arrive(VISITED1))
    assert (packet.source, packet.destination, packet.home_address) == (VISITED1.care_of(), AGENT, HOME)
    assert update.flags == BindingUpdateFlag.ACKNOWLEDGE | BindingUpdateFlag.HOME_REGISTRATION
    assert update.options == (AlternateCareOfAddress(address=VISITED1.care_of()),)


@pytest.mark.rfc6275("11.7.1-a")
@pytest.mark.case("MN-012")
@pytest.mark.parametrize(
    ("home_address", "compatible"),
    [(HOME, False), (replace(HOME_LINK).care_of(), True)],
    ids=["other identifier", "same identifier"],
)
def test_l_is_set_if_home_and_link_local_address_share_their_identifier(
    home_address: IPv6Address, compatible: bool
) -> None:
    bench = MobileBench(mobile_config(home_address=home_address))
    (update,) = updates(bench.arrive(VISITED1))
    assert bool(update.flags & BindingUpdateFlag.LINK_LOCAL_ADDRESS_COMPATIBILITY) is compatible


@pytest.mark.rfc6275("11.5.3-a", "11.5.4-a")
def test_order_of_an_arrival() -> None:
    bench = MobileBench()
    bench.take(carrier())
    assert names(bench.take(VISITED1.advertisement())) == [
        "UseRouter",
        "BindingUpdate",
        "AddAddress",
        "InstallReverseTunnel",
        "StartDad",
    ]


@pytest.mark.rfc6275("11.7.1-a")
@pytest.mark.case("MN-014")
def test_the_lifetime_does_not_outlive_the_care_of_address() -> None:
    bench = MobileBench(mobile_config(lifetime=3600))
    (update,) = updates(bench.arrive(replace(VISITED1, valid=100)))
    assert update.lifetime == 100


@pytest.mark.rfc6275("11.7.1-a")
@pytest.mark.case("MN-015")
def test_the_lifetime_does_not_outlive_the_home_address() -> None:
    bench = MobileBench(mobile_config(lifetime=3600))
    bench.arrive(replace(HOME_LINK, valid=100))
    bench.pass_time(10)
    (update,) = updates(bench.arrive(VISITED1))
    assert update.lifetime == 88  # 90 s in units of 4 s


@pytest.mark.rfc6275("11.7.1-a", "11.5.3-a")
@pytest.mark.case("MN-036")
def test_a_move_is_registered_under_a_greater_sequence_number() -> None:
    bench = MobileBench()
    bench.register(VISITED1)
    first = bench.entry["sequence"]
    (update,) = updates(bench.arrive(VISITED2))
    assert update.sequence == first + 1
    assert update.options == (AlternateCareOfAddress(address=VISITED2.care_of()),)


# Retries


@pytest.mark.rfc6275("11.8-a")
@pytest.mark.case("MN-017")
def test_an_unanswered_first_registration_backs_off_from_its_own_timeout() -> None:
    bench = MobileBench()
    (first,) = updates(bench.arrive(VISITED1))
    retries = sent_at(bench, 120)
    assert [when - 1000.0 for when, _ in retries] == [1.5, 4.5, 10.5, 22.5, 46.5, 78.5, 110.5]
    assert [update.sequence for _, update in retries] == [first.sequence + n for n in range(1, 8)]
    assert bench.entry["state"] == "pending"


@pytest.mark.rfc6275("11.8-a")
@pytest.mark.case("MN-039")
def test_an_unanswered_later_registration_backs_off_from_one_second() -> None:
    bench = MobileBench()
    bench.register(VISITED1)
    bench.arrive(VISITED2)
    assert [when - 1000.0 for when, _ in sent_at(bench, 100)] == [1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 95.0]


@pytest.mark.rfc6275("11.8-a", "11.7.1-a")
@pytest.mark.case("MN-016")
def test_after_the_binding_ran_out_the_next_one_is_a_first_one() -> None:
    bench = MobileBench()
    bench.register(VISITED1)
    bench.take(LinkDown(interface=INTERFACE))
    assert not updates(bench.pass_time(100))
    (update,) = updates(bench.arrive(VISITED2))
    assert [when - bench.now for when, _ in sent_at(bench, 1.6)] == [pytest.approx(-0.1)]
    assert update.lifetime == 60


@pytest.mark.rfc6275("11.8-b")
def test_moves_in_quick_succession_keep_the_rate() -> None:
    bench = MobileBench()
    times = []
    for step in range(8):
        effects = bench.arrive((VISITED1, VISITED2)[step % 2])
        times += [bench.now for _ in updates(effects)]
        times += [when for when, _ in sent_at(bench, 0.1)]
    times += [when for when, _ in sent_at(bench, 3)]
    for position, when in enumerate(times):
        assert sum(when - 1.0 < earlier for earlier in times[: position + 1]) <= MAX_UPDATE_RATE
    assert bench.entry["care_of_address"] == str(VISITED2.care_of())
    assert len(times) > MAX_UPDATE_RATE


@pytest.mark.rfc6275("11.8-b")
def test_a_wait_of_a_second_ends_even_where_rounding_makes_it_shorter() -> None:
    bench = MobileBench(now=1023.1)
    assert (bench.now + 1.0) - bench.now < 1.0
    for access in (VISITED1, VISITED2, VISITED1, VISITED2):
        bench.arrive(access)
    assert bench.node.deadline() == bench.now + 1.0
    bench.now += 1.0
    assert len(updates(bench.take(DeadlineReached()))) == 1


def test_without_a_link_nothing_is_retried_and_nothing_is_forgotten() -> None:
    bench = MobileBench()
    bench.arrive(VISITED1)
    bench.take(LinkDown(interface=INTERFACE))
    assert not updates(bench.pass_time(30))
    bench.take(carrier())
    assert not updates(bench.pass_time(0.1)), "nobody knows yet which link this is"
    bench.take(VISITED1.advertisement())
    assert len(updates(bench.pass_time(0.0))) == 1


# Answers


@pytest.mark.rfc6275("11.7.3-a")
@pytest.mark.case("MN-018", "MN-020")
def test_an_accepted_registration() -> None:
    bench = MobileBench()
    effects = bench.register()
    (event,) = events(effects, BindingAcknowledged)
    assert (event.lifetime, event.status) == (60, Status.ACCEPTED)
    assert bench.entry["state"] == "registered"


@pytest.mark.rfc6275("11.7.3-a")
@pytest.mark.case("MN-024")
@pytest.mark.parametrize("status", [1, 2, 127])
def test_every_status_below_128_accepts(status: int) -> None:
    bench = MobileBench()
    bench.register(status=status)
    assert bench.entry["state"] == "registered"


@pytest.mark.rfc6275("11.7.3-d", "11.8-b")
@pytest.mark.parametrize("status", REJECTIONS)
def test_a_refusal_is_retried_later_under_a_newer_sequence_number(status: int) -> None:
    bench = MobileBench()
    effects = bench.register(status=status, lifetime=0)
    assert [event.status for event in events(effects, BindingRefused)] == [status]
    assert bench.entry["state"] == "pending"
    sequence = bench.entry["sequence"]
    ((when, update),) = sent_at(bench, 2)
    assert (when, update.sequence) == (1001.5, sequence + 1)


@pytest.mark.rfc6275("11.7.3-b", "9.5.1-b")
@pytest.mark.parametrize(
    ("told", "following"),
    [
        pytest.param(4711, 4712, marks=pytest.mark.case("MN-031")),
        pytest.param(65535, 0, marks=pytest.mark.case("MN-033")),
    ],
)
def test_a_sequence_number_out_of_window_is_put_right(told: int, following: int) -> None:
    bench = MobileBench()
    (update,) = updates(bench.arrive(VISITED1))
    status = Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
    (again,) = updates(bench.acknowledge(update, status=status, sequence=told, lifetime=0))
    assert again.sequence == following


@pytest.mark.rfc6275("11.8-b")
def test_a_home_agent_that_always_says_135_gets_no_flood() -> None:
    bench = MobileBench()
    (update,) = updates(bench.arrive(VISITED1))
    count = 1
    for _ in range(20):
        effects = bench.acknowledge(update, status=Status.SEQUENCE_NUMBER_OUT_OF_WINDOW, sequence=9, lifetime=0)
        count += len(updates(effects))
    assert count == MAX_UPDATE_RATE


@pytest.mark.rfc6275("11.7.3-a", "11.8-a")
@pytest.mark.case("MN-034")
def test_an_answer_to_another_update_is_ignored() -> None:
    bench = MobileBench()
    (update,) = updates(bench.arrive(VISITED1))
    effects = bench.acknowledge(update, sequence=update.sequence + 1)
    assert [event.reason for event in events(effects, PacketDropped)] == ["unexpected-acknowledgement"]
    assert bench.entry["state"] == "pending"
    assert len(sent_at(bench, 2)) == 1


@pytest.mark.rfc6275("11.7.3-a")
@pytest.mark.parametrize(
    "wrong",
    [{"source": VISITED2.global_address}, {"home": VISITED2.global_address}, {"home": None}],
    ids=["not the home agent", "not the home address", "to the home address without routing header"],
)
def test_answers_are_taken_from_the_home_agent_for_the_home_address(wrong: dict[str, IPv6Address]) -> None:
    bench = MobileBench()
    (update,) = updates(bench.arrive(VISITED1))
    bench.acknowledge(update, **wrong)
    expected = "registered" if wrong == {"home": None} else "pending"  # §11.7.3: its destination is the home address
    assert bench.entry["state"] == expected


def test_a_second_answer_is_ignored() -> None:
    bench = MobileBench()
    effects = bench.register()
    again = bench.acknowledge(updates(effects)[0])
    assert [event.reason for event in events(again, PacketDropped)] == ["unexpected-acknowledgement"]


@pytest.mark.rfc6275("11.7.3-a")
@pytest.mark.parametrize(("granted", "left"), [(60, 58), (30, 28), (4, 2), (100, 58), (0, 0)])
def test_what_passed_until_the_answer_is_gone_from_the_lifetime(granted: int, left: int) -> None:
    bench = MobileBench()
    (update,) = updates(bench.arrive(VISITED1))
    bench.now += 2.0
    bench.acknowledge(update, lifetime=granted)
    assert bench.entry["remaining"] == left


# Refreshes


@pytest.mark.rfc6275("11.7.1-c", "11.7.3-a")
@pytest.mark.case("MN-021", "MN-037")
@pytest.mark.parametrize("granted", [20, 60])
def test_a_binding_is_refreshed_before_its_end(granted: int) -> None:
    bench = MobileBench()
    bench.register(lifetime=granted)
    sequence = bench.entry["sequence"]
    ((when, update),) = sent_at(bench, granted * 0.8 + 0.5)
    assert when - 1000.0 == granted * 0.8
    assert (update.sequence, update.lifetime) == (sequence + 1, 60)
    assert update.options == (AlternateCareOfAddress(address=VISITED1.care_of()),)


@pytest.mark.rfc6275("11.7.3-a", "6.2.4-a")
@pytest.mark.case("MN-022")
@pytest.mark.parametrize(("advice", "after"), [(10, 10.0), (0, 48.0), (60, 48.0), (400, 48.0)])
def test_refresh_advice_shorter_than_the_lifetime_is_followed(advice: int, after: float) -> None:
    bench = MobileBench()
    bench.register(options=(BindingRefreshAdvice(refresh_interval=advice),))
    ((when, _),) = sent_at(bench, after + 0.5)
    assert when - 1000.0 == after


@pytest.mark.rfc6275("11.7.1-c", "11.8-a")
def test_an_unanswered_refresh_backs_off_from_one_second() -> None:
    bench = MobileBench()
    bench.register()
    times = [when for when, _ in sent_at(bench, 60)]
    assert [after - before for before, after in pairwise(times)] == [1.0, 2.0, 4.0]


# Care-of addresses


@pytest.mark.rfc6275("11.5.3-a")
def test_standard_duplicate_address_detection_is_waited_for() -> None:
    bench = MobileBench(mobile_config(dad=DadMode.STANDARD))
    effects = bench.arrive(VISITED1)
    assert not updates(effects)
    assert not of_kind(effects, InstallReverseTunnel)
    (test,) = of_kind(effects, StartDad)
    assert len(updates(bench.take(DadSucceeded(address=test.address)))) == 1


@pytest.mark.rfc6275("11.5.3-a")
def test_a_collision_gives_another_address_that_is_registered() -> None:
    bench = MobileBench()
    bench.register()
    effects = bench.take(DadFailed(address=VISITED1.care_of()))
    assert [event.reason for event in events(effects, CareOfAddressLost)] == ["duplicate"]
    assert [e.address for e in of_kind(effects, RemoveAddress)] == [VISITED1.care_of()]
    ((packet, update),) = update_packets(effects)
    assert packet.source in VISITED1.prefix
    assert packet.source != VISITED1.care_of()
    assert update.options == (AlternateCareOfAddress(address=packet.source),)
    (third,) = of_kind(bench.take(DadFailed(address=packet.source)), AddAddress)
    assert third.address not in (packet.source, VISITED1.care_of())


@pytest.mark.rfc6275("11.5.3-a")
def test_a_collision_that_is_heard_of_after_the_link_was_lost() -> None:
    bench = MobileBench()
    bench.register()
    bench.take(LinkDown(interface=INTERFACE))
    effects = bench.take(DadFailed(address=VISITED1.care_of()))
    assert [e.address for e in of_kind(effects, RemoveAddress)] == [VISITED1.care_of()]
    assert bench.entry["place"] == "unattached"
    assert updates(bench.arrive(VISITED1)), "the same link is a new one now"


@pytest.mark.parametrize("answer", [DadSucceeded, DadFailed])
def test_answers_about_other_addresses_mean_nothing(answer: type[DadSucceeded] | type[DadFailed]) -> None:
    bench = MobileBench()
    bench.register()
    assert bench.take(answer(address=VISITED2.care_of())) == []


@pytest.mark.rfc6275("11.5.3-a", "11.5.4-a")
@pytest.mark.case("MN-160")
def test_the_care_of_address_left_behind_goes_when_the_next_is_acknowledged() -> None:
    bench = MobileBench()
    bench.register(VISITED1)
    effects = bench.arrive(VISITED2)
    assert of_kind(effects, StopDad) == [StopDad(address=VISITED1.care_of())]
    assert not of_kind(effects, RemoveAddress)
    effects = bench.acknowledge(updates(effects)[0])
    assert [e.address for e in of_kind(effects, RemoveAddress)] == [VISITED1.care_of()]


def test_back_on_a_link_before_the_other_was_registered_keeps_its_address() -> None:
    bench = MobileBench()
    bench.register(VISITED1)
    bench.arrive(VISITED2)
    effects = bench.arrive(VISITED1)
    effects = bench.acknowledge(updates(effects)[0])
    assert [e.address for e in of_kind(effects, RemoveAddress)] == [VISITED2.care_of()]


@pytest.mark.rfc6275("11.5.3-a")
def test_an_expired_prefix_takes_its_care_of_address_along() -> None:
    bench = MobileBench()
    bench.register(replace(VISITED1, valid=20))
    effects = bench.pass_time(20)
    assert [event.reason for event in events(effects, CareOfAddressLost)] == ["prefix expired"]
    assert VISITED1.care_of() in [e.address for e in of_kind(effects, RemoveAddress)]
    assert bench.entry["place"] == "unattached"
    assert updates(bench.take(VISITED2.advertisement()))


@pytest.mark.rfc6275("11.5.3-a")
def test_an_advertisement_renews_the_prefix() -> None:
    bench = MobileBench()
    access = replace(VISITED1, valid=20)
    bench.register(access)
    bench.pass_time(15)
    bench.take(access.advertisement())
    assert not events(bench.pass_time(15), CareOfAddressLost)


def test_acknowledgements_out_of_the_blue() -> None:
    bench = MobileBench()
    bench.take(carrier(MAC))
    message = BindingAcknowledgement(status=Status.ACCEPTED, sequence=7, lifetime=60)
    effects = bench.take(acknowledgement(message))
    assert [event.reason for event in events(effects, PacketDropped)] == ["unexpected-acknowledgement"]


# A move, effect by effect


def kinds(effects: list[Effect]) -> list[str]:
    """Name effects by their types, and what is sent by its message."""
    return [type(e.packet.payload if isinstance(e, Send) else e).__name__ for e in effects if not isinstance(e, Report)]


def test_in_a_move_all_that_can_wait_comes_behind_the_binding_update() -> None:
    bench = MobileBench()
    bench.register(VISITED1)
    bench.take(LinkDown(interface=INTERFACE))
    assert kinds(bench.take(carrier())) == ["RouterSolicitation"]
    assert kinds(bench.take(VISITED2.advertisement())) == [
        "UseRouter",
        "BindingUpdate",
        "StopDad",
        "AddAddress",
        "InstallReverseTunnel",
        "StartDad",
    ]


def test_an_address_is_tested_before_it_is_registered_by_the_standard() -> None:
    bench = MobileBench(mobile_config(dad=DadMode.STANDARD))
    effects = bench.arrive(VISITED1)
    assert kinds(effects)[-2:] == ["AddAddress", "StartDad"]
    assert not updates(effects)
    assert kinds(bench.take(DadSucceeded(address=VISITED1.care_of()))) == ["BindingUpdate", "InstallReverseTunnel"]


def test_the_way_home_gives_the_tunnel_up_last() -> None:
    bench = MobileBench()
    bench.register(VISITED1)
    effects = bench.arrive(HOME_LINK)
    assert kinds(effects)[-4:] == ["UseRouter", "BindingUpdate", "JoinGroup", "StopDad"]
    assert kinds(bench.acknowledge(updates(effects)[0], lifetime=0)) == [
        "AddAddress",
        "UseRouter",
        "RemoveReverseTunnel",
        "LeaveGroup",
        "NeighborAdvertisement",
        "ForgetRouter",
        "RemoveAddress",
    ]


def test_an_address_that_is_formed_again_is_tested_anew() -> None:
    bench = MobileBench()
    bench.arrive(VISITED1)
    tests = of_kind(bench.arrive(VISITED1), StopDad) + of_kind(bench.arrive(VISITED2), StopDad)
    assert tests == [StopDad(address=VISITED1.care_of())]
    effects = [e for e in bench.arrive(VISITED1) if isinstance(e, StopDad | StartDad)]
    assert effects == [
        StopDad(address=VISITED1.care_of()),
        StopDad(address=VISITED2.care_of()),
        StartDad(interface=INTERFACE, address=VISITED1.care_of()),
    ]


# Timers, whatever became of the effects


def test_an_answer_that_is_broken_off_leaves_the_timers_right() -> None:
    """A fault of the daemon ends what it carries out; the Binding Update is repeated in time all the same."""
    bench = MobileBench()
    bench.take(LinkDown(interface=INTERFACE))
    bench.take(carrier())
    bench.node.deadline()
    answer = bench.node.handle(VISITED1.advertisement(), bench.now)
    update = next(found[0] for effect in answer if (found := updates([effect])))
    del answer
    again = sent_at(bench, bench.config.first_bindack_timeout)
    assert [(when - 1000.0, repeated.sequence) for when, repeated in again] == [
        (bench.config.first_bindack_timeout, update.sequence + 1)
    ]


def test_while_the_link_is_in_doubt_nothing_is_due_but_solicitations() -> None:
    bench = MobileBench()
    bench.arrive(VISITED1)
    bench.pass_time(INITIAL_BINDACK_TIMEOUT - 0.1)
    bench.take(LinkHint(interface=INTERFACE))
    assert [kinds(effects) for _, effects in bench.timeline(0.8)] == [["RouterSolicitation"]] * 2
    effects = bench.take(VISITED1.advertisement())
    assert not updates(effects)
    assert updates(bench.pass_time(1.0)), "what was put off is done"
