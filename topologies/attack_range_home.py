"""Attacks on home registrations (RFC 6275 §5.1, §15.3)."""

from lab.emulation.exercise import AttackStage, exercise
from lab.emulation.forgery import home_registration, sealed
from lab.emulation.playback import frames_so_far
from lab.events import BindingRegistered, ProxyStopped
from lab.safeguards import Safeguard
from lab.verify.frame import ENCAPSULATING_SECURITY_PAYLOAD as ESP
from topologies.attack_range import FLOOD, SEQUENCES, AttackRange, go, tunnelled_to


@exercise(AttackRange, "15.3", Safeguard.ESP, ro=False)
def false_home_registration(stage: AttackStage) -> None:
    """An outsider tells the home agent, without ESP, that the mobile node is where he is."""
    mn, ha = (stage.network.node(name).spec.address for name in ("mn", "ha"))
    outsider = stage.attacker("outsider")
    stage.stream("cn", "mn", every=0.05)
    go(stage, "visited1")
    stage.say("The outsider registers the mobile node's home address with a care-of address of his own")
    forged = [home_registration(mn, ha, outsider.address, sequence=sequence, lifetime=60) for sequence in SEQUENCES]
    stage.attack(outsider, *forged, note="Binding Update without ESP")
    stage.succeeds_if(outsider.link, tunnelled_to(outsider.address, mn), "a packet for the mobile node")
    stage.wait(2.0)


@exercise(AttackRange, "5.1", Safeguard.ASSOCIATION_CHECK, ro=False)
def stolen_home_address(stage: AttackStage) -> None:
    """A mobile node registers the home address of another one, in the ESP of its own security association."""
    mn, ha = (stage.network.node(name).spec.address for name in ("mn", "ha"))
    traitor = stage.attacker("traitor")
    own_association = stage.own_association(traitor)
    stage.stream("cn", "mn", every=0.05)
    go(stage, "visited1")
    stage.say("The traitor registers the mobile node's home address, and seals that with keys of its own")
    forged = [
        sealed(
            home_registration(mn, ha, traitor.address, sequence=sequence, lifetime=60),
            own_association,
            sequence=number,
        )
        for number, sequence in enumerate(SEQUENCES, start=1)
    ]
    stage.attack(traitor, *forged, note="Binding Update for mn, in the ESP of the traitor")
    stage.succeeds_if(traitor.link, tunnelled_to(traitor.address, mn), "a packet for the mobile node")
    stage.wait(2.0)


@exercise(AttackRange, "15.3", Safeguard.STATE_STORE, ro=False)
def replayed_home_registration(stage: AttackStage) -> None:
    """The home agent crashes; then a guest sends again what the mobile node once said to it, sealed as it was."""
    mn, ha = (stage.network.node(name).spec.address for name in ("mn", "ha"))
    guest = stage.attacker("guest")
    old = stage.care_of_address("mn", "visited1")
    stage.stream("cn", "mn", every=0.05)
    go(stage, "visited1")
    heard = guest.hear("ESP for the home agent", lambda f: f.upper == ESP and (f.source, f.destination) == (old, ha))
    go(stage, "visited2")
    stage.say("The home agent is killed, and started again")
    stage.kill("ha")
    stage.restart("ha")
    stage.say("The guest takes the old care-of address, and plays the first registration back")
    guest.take(old)
    stage.attack(guest, heard.captured, note="the mobile node's own Binding Update, once more")
    stage.succeeds_if(guest.link, tunnelled_to(old, mn), "a packet for the mobile node, where it is no longer")
    stage.wait(3.5)  # Duplicate Address Detection comes first, where the home agent knows of no binding


@exercise(AttackRange, "15.3", None, ro=False)
def lying_mobile_node(stage: AttackStage) -> None:
    """A mobile node orders a stream, and registers the address of a victim as its care-of address."""
    ha, victim = (stage.network.node(name).spec.address for name in ("ha", "victim"))
    own = stage.network.node("traitor").spec.address
    traitor = stage.attacker("traitor")
    stage.stream("cn", "traitor", every=0.01)
    stage.say("The traitor registers its own home address, in its own ESP, with the victim's address")
    update = home_registration(own, ha, victim, sequence=1, lifetime=60, source=traitor.address)
    forged = sealed(update, stage.own_association(traitor), sequence=1)
    stage.attack(traitor, forged, note="Binding Update, in ESP as it must be")
    stage.succeeds_if("visited2", tunnelled_to(victim, own), "a packet that the victim never asked for", at_least=FLOOD)
    stage.expect(BindingRegistered, node="ha", home_address=own, care_of_address=victim)
    stage.wait(1.0)
    stage.say("The victim has complained; the administrator cuts the traitor off")
    stage.cut_off("traitor")
    ended = stage.expect(ProxyStopped, node="ha", address=own).time
    stage.wait(1.0)
    flood = [f for f in frames_so_far([stage.network.captures["visited2"]]) if tunnelled_to(victim, own)(f)]
    late = [frame for frame in flood if frame.time > ended + 0.1]
    detail = f"{len(flood)} packets, {len(late)} after the end"
    stage.check("cut-off", bool(flood) and not late, "15.3-c", detail=detail)
