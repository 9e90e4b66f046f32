"""What a home agent owes its mobile nodes beyond a single registration (RFC 6275 §10, §15.3)."""

from lab.constants import Status
from lab.emulation.playback import first_registration, home_registrations, send_again
from lab.emulation.prompt import Prompt as CLI  # noqa: F401, N814 - the prompt that `mn --custom` shows
from lab.emulation.scenario import Stage, scenario
from lab.events import (
    BindingAcknowledged,
    BindingDeregistered,
    BindingRecalled,
    BindingRefused,
    BindingRegistered,
    BindingRejected,
    BindingUpdateSent,
    HomeAddressCutOff,
    ProxyStarted,
    ProxyStopped,
    ReturnedHome,
)
from topologies.two_visited_links import TwoVisitedLinks


@scenario(TwoVisitedLinks, ro=False)
def ha_restart(stage: Stage) -> None:
    """The home agent is killed and started again: it serves on, and an old Binding Update played back is refused."""
    network = stage.network
    home_address = network.node("mn").spec.address
    down = stage.stream("cn", "mn", every=0.01)
    up = stage.stream("mn", "cn", every=0.05)
    for link in ("visited1", "visited2"):
        stage.say(f"The mobile node moves to {link}")
        stage.move("mn", link)
        care_of_address = stage.care_of_address("mn", link)
        stage.expect(BindingRegistered, node="ha", care_of_address=care_of_address)
        registered = stage.expect(BindingAcknowledged, node="mn", care_of_address=care_of_address)
        stage.wait(1.0)
    stage.say("The home agent is killed, and started again")
    stage.kill("ha")
    stage.restart("ha")
    stage.expect(BindingRecalled, node="ha", home_address=home_address, care_of_address=care_of_address)
    stage.expect(ProxyStarted, node="ha", address=home_address)
    during = stage.stream("cn", "mn", every=0.01)
    stage.wait(3.0)
    stage.say("Somebody on the way plays the first Binding Update back")
    send_again(network.node("ar1"), first_registration(network.captures["visited1"], home_address))
    refused = stage.expect(BindingRejected, node="ha", home_address=home_address, within=2.0)
    assert isinstance(refused.event, BindingRejected)
    right = refused.event.status == Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
    stage.check("replay-refused", right, "15.3-a", "9.5.1-b", detail=f"status {refused.event.status}")
    (binding,) = network.node("ha").control("bindings")
    where, left = binding["care_of_address"], binding["remaining"]
    spent = refused.time - registered.time
    unchanged = where == str(care_of_address) and left <= binding["lifetime"] - spent + 0.5
    detail = f"at {where} for {left:.1f} of {binding['lifetime']} s, {spent:.1f} s after its registration"
    stage.check("binding-unchanged", unchanged, "15.3-a", "9.5.1-b", detail=detail)
    stage.wait(1.5)
    told = [r for r in stage.records() if isinstance(r.event, BindingUpdateSent) and r.time > registered.time]
    seen = [f for f in home_registrations(network.captures["visited2"]) if f.time > registered.time]
    detail = f"after the restart the mobile node sent {len(told)} Binding Updates, its link carried {len(seen)}"
    stage.check("no-new-registration", not told and not seen, "15.3-a", detail=detail)
    stage.check_survival(during, "15.3-a", "10.4.1-a", "10.4.2-a")
    stage.say("The mobile node returns home")
    stage.move("mn", "home")
    stage.expect(BindingDeregistered, node="ha")
    stage.expect(ReturnedHome, node="mn")
    stage.wait(1.5)
    stage.check_survival(down, "15.3-a", "10.3.2-b")
    stage.check_survival(up, "15.3-a", "10.4.5-a")


@scenario(TwoVisitedLinks, ro=False, lifetime=8)
def cut_off(stage: Stage) -> None:
    """An administrator cuts the mobile node off: it is served no more, until it is readmitted."""
    home_address = stage.network.node("mn").spec.address
    care_of_address = stage.care_of_address("mn", "visited1")
    before = stage.stream("cn", "mn", every=0.01)
    stage.say("The mobile node moves to visited1")
    stage.move("mn", "visited1")
    stage.expect(BindingRegistered, node="ha", care_of_address=care_of_address)
    stage.expect(BindingAcknowledged, node="mn", care_of_address=care_of_address)
    stage.wait(1.5)
    stage.check_survival(before, "10.4.2-a")
    stage.say("The administrator cuts it off")
    stage.cut_off("mn")
    stage.expect(HomeAddressCutOff, node="ha", home_address=home_address)
    stopped = stage.expect(ProxyStopped, node="ha", address=home_address)
    refused = stage.expect(BindingRefused, node="mn", home_address=home_address, within=10.0)
    assert isinstance(refused.event, BindingRefused)
    right = refused.event.status == Status.ADMINISTRATIVELY_PROHIBITED
    stage.check("refused", right, "15.3-c", "9.5.1-f", detail=f"status {refused.event.status}")
    stage.say("The home agent is started anew, and has not forgotten")
    stage.restart("ha")
    stage.expect(HomeAddressCutOff, node="ha", home_address=home_address)
    stage.expect(BindingRefused, node="mn", status=Status.ADMINISTRATIVELY_PROHIBITED, within=20.0)
    renewed = [
        record
        for record in stage.records()
        if isinstance(record.event, BindingRegistered) and record.time > stopped.time
    ]
    stage.check("not-served", not renewed, "15.3-c", "15.3-a", detail=f"{len(renewed)} bindings since")
    stage.say("The administrator readmits it")
    stage.readmit("mn")
    stage.expect(BindingRegistered, node="ha", care_of_address=care_of_address, within=40.0)
    after = stage.stream("cn", "mn", every=0.01)
    stage.wait(1.5)
    stage.check_survival(after, "15.3-c", "10.4.2-a")
