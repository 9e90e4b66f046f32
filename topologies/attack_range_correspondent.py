"""Attacks on bindings at a correspondent (RFC 6275 §15.4)."""

import random
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any

from lab.auth.return_routability import COOKIE_OCTETS, TOKEN_OCTETS, binding_management_key
from lab.constants import ACCEPTED_BELOW, LIFETIME_UNIT, MAX_RR_BINDING_LIFETIME
from lab.emulation.attacker import Attacker
from lab.emulation.exercise import AttackStage, Matches, exercise
from lab.emulation.forgery import LIFETIME_FOR_EVER, care_of_test_init, correspondent_registration, home_test_init
from lab.safeguards import Safeguard
from lab.verify.frame import MOBILITY, Frame
from topologies.attack_range import FLOOD, SEQUENCES, AttackRange, go_straight, return_home, routed_to

HOME_TEST, CARE_OF_TEST, BINDING_UPDATE, BINDING_ACKNOWLEDGEMENT = 3, 4, 5, 6
"""Types of Mobility Headers."""
GUESSES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A keygen token with the index of its nonce."""

    index: int
    value: bytes


def message_for(kind: int, address: IPv6Address) -> Matches:
    """Match a home test or care-of test that is sent to an address."""
    return lambda frame: frame.upper == MOBILITY and frame.message_type == kind and frame.destination == address


def ask(stage: AttackStage, attacker: Attacker, kind: int, address: IPv6Address) -> Token:
    """Have the correspondent test an address, whosever that is, and hear its answer on the attacker's link."""
    cn = stage.network.node("cn").spec.address
    make = home_test_init if kind == HOME_TEST else care_of_test_init
    dice = chance(stage)

    def init() -> Any:
        return make(address, cn, dice.randbytes(COOKIE_OCTETS))

    answer = attacker.ask(f"answer of cn to {address}", init, message_for(kind, address)).message
    return Token(index=answer.index, value=bytes(answer.token))


def chance(stage: AttackStage) -> random.Random:
    """Give what an attacker throws dice by: the seed of the run decides."""
    return random.Random(stage.network.context.seed)


@exercise(AttackRange, "15.4.4", Safeguard.SEQUENCE_CHECK)
def replayed_binding_update(stage: AttackStage) -> None:
    """A guest sends again what the mobile node said to its correspondent before it moved on."""
    mn, cn = (stage.network.node(name).spec.address for name in ("mn", "cn"))
    guest = stage.attacker("guest")
    old = stage.care_of_address("mn", "visited1")
    stage.stream("cn", "mn", every=0.05)
    go_straight(stage, "visited1")
    heard = guest.hear("Binding Update for cn", message_for(BINDING_UPDATE, cn))
    go_straight(stage, "visited2")
    stage.say("The guest takes the old care-of address, and plays the Binding Update back")
    guest.take(old)
    stage.attack(guest, heard.captured, note="the mobile node's own Binding Update, once more")
    stage.succeeds_if(guest.link, routed_to(old, mn), "a packet for the mobile node, where it is no longer")
    stage.wait(2.0)


@exercise(AttackRange, "15.4.4", Safeguard.KEPT_SEQUENCE)
def replay_after_deletion(stage: AttackStage) -> None:
    """The mobile node has gone home and ended its binding; a guest brings it back to life by an old Binding Update."""
    mn, cn = (stage.network.node(name).spec.address for name in ("mn", "cn"))
    guest = stage.attacker("guest")
    old = stage.care_of_address("mn", "visited1")
    stage.stream("cn", "mn", every=0.05)
    go_straight(stage, "visited1")
    heard = guest.hear("Binding Update for cn", message_for(BINDING_UPDATE, cn))
    return_home(stage)
    stage.say("The guest takes the old care-of address, and plays the Binding Update back")
    guest.take(old)
    stage.attack(guest, heard.captured, note="the mobile node's own Binding Update, once more")
    stage.succeeds_if(guest.link, routed_to(old, mn), "a packet for the mobile node, which is at home")
    stage.wait(2.0)


@exercise(AttackRange, "15.4.1", Safeguard.AUTHENTICATOR)
def guessed_token(stage: AttackStage) -> None:
    """An outsider, who is on no path, guesses the home keygen token and binds the home address to his own."""
    mn, cn = (stage.network.node(name).spec.address for name in ("mn", "cn"))
    outsider, dice = stage.attacker("outsider"), chance(stage)
    stage.stream("cn", "mn", every=0.05)
    stage.say("The outsider gets a care-of keygen token of his own, and guesses home keygen tokens")
    own = ask(stage, outsider, CARE_OF_TEST, outsider.address)
    forged = [
        correspondent_registration(
            mn,
            cn,
            outsider.address,
            key=binding_management_key(dice.randbytes(TOKEN_OCTETS), own.value),
            indices=(own.index, own.index),
            sequence=sequence,
        )
        for sequence in range(1, GUESSES + 1)
    ]
    stage.attack(outsider, *forged, note="Binding Update by a guessed token")
    stage.succeeds_if(outsider.link, routed_to(outsider.address, mn), "a packet for the mobile node")
    stage.wait(2.0)


@exercise(AttackRange, "15.4.6", Safeguard.AUTHENTICATOR)
def forged_return(stage: AttackStage) -> None:
    """An outsider says that the mobile node is home again, by a guessed token, and so ends its direct path."""
    mn, cn = (stage.network.node(name).spec.address for name in ("mn", "cn"))
    outsider, dice = stage.attacker("outsider"), chance(stage)
    stage.stream("cn", "mn", every=0.05)
    go_straight(stage, "visited1")
    stage.say("The outsider has the current index told, and ends the binding by guessed home keygen tokens")
    own = ask(stage, outsider, CARE_OF_TEST, outsider.address)
    forged = [
        correspondent_registration(
            mn,
            cn,
            mn,
            source=outsider.address,
            key=binding_management_key(dice.randbytes(TOKEN_OCTETS)),
            indices=(own.index, 0),
            sequence=sequence,
            lifetime=0,
        )
        for sequence in SEQUENCES
    ]
    stage.attack(outsider, *forged, note="deletion by a guessed token")
    stage.succeeds_if("cn-core", plain_for(mn), "a packet that takes the triangle again")
    stage.wait(2.0)


def plain_for(home_address: IPv6Address) -> Matches:
    """Match what is sent to a home address as such, no mobility messages."""
    return lambda frame: frame.destination == home_address and frame.upper != MOBILITY


@exercise(AttackRange, "15.4.2", None)
def overheard_home_test(stage: AttackStage) -> None:
    """Somebody between home agent and correspondent asks for a home test, reads the answer, and binds the address."""
    mn, cn = (stage.network.node(name).spec.address for name in ("mn", "cn"))
    onpath = stage.attacker("onpath")
    stage.stream("cn", "mn", every=0.05)
    stage.say("On the path, somebody asks for a home test in the name of the mobile node, which is at home")
    stage.attack(onpath, overheard(stage, onpath, mn, cn), note="Binding Update by an overheard token")
    stage.succeeds_if(onpath.link, routed_to(onpath.address, mn), "a packet for the mobile node")
    stage.succeeds_if(onpath.link, granted_to(onpath.address), "the acknowledgement, with its lifetime")
    stage.wait(2.0)


@exercise(AttackRange, "15.4.3", Safeguard.BINDING_LIFETIME)
def lasting_hijack(stage: AttackStage) -> None:
    """Whoever was on the path once asks for a binding that outlasts by far the tests that it came from."""
    mn, cn = (stage.network.node(name).spec.address for name in ("mn", "cn"))
    onpath = stage.attacker("onpath")
    stage.stream("cn", "mn", every=0.05)
    stage.say("On the path, somebody binds the home address of the mobile node, for three days if he gets them")
    stage.attack(onpath, overheard(stage, onpath, mn, cn), note="Binding Update by an overheard token")
    longer = "the acknowledgement: more than 420 seconds without another test"
    stage.succeeds_if(onpath.link, granted_to(onpath.address, more_than=MAX_RR_BINDING_LIFETIME), longer)
    stage.wait(2.0)


def overheard(stage: AttackStage, attacker: Attacker, home_address: IPv6Address, correspondent: IPv6Address) -> Any:
    """Make a Binding Update by two tests: that of the mobile node, read on its way, and one of the attacker's own."""
    home = ask(stage, attacker, HOME_TEST, home_address)
    own = ask(stage, attacker, CARE_OF_TEST, attacker.address)
    return correspondent_registration(
        home_address,
        correspondent,
        attacker.address,
        key=binding_management_key(home.value, own.value),
        indices=(home.index, own.index),
        sequence=1,
        lifetime=LIFETIME_FOR_EVER,
    )


def granted_to(address: IPv6Address, *, more_than: float = 0) -> Matches:
    """Match an acknowledgement that accepts a binding for longer than so many seconds."""

    def matches(frame: Frame) -> bool:
        if not message_for(BINDING_ACKNOWLEDGEMENT, address)(frame):
            return False
        return bool(frame.message.status < ACCEPTED_BELOW and frame.message.mhtime * LIFETIME_UNIT > more_than)

    return matches


@exercise(AttackRange, "15.4.3", Safeguard.NONCE_LIFETIME, nonce_lifetime=8.0)
def hoarded_token(stage: AttackStage) -> None:
    """Somebody reads a home test, leaves the path, and uses the token much later from where he hears nothing."""
    mn, cn = (stage.network.node(name).spec.address for name in ("mn", "cn"))
    onpath, outsider = stage.attacker("onpath"), stage.attacker("outsider")
    stage.stream("cn", "mn", every=0.05)
    stage.say("On the path, somebody reads a home test for the mobile node, and leaves")
    home = ask(stage, onpath, HOME_TEST, mn)
    lifetime = stage.network.context.settings.nonce_lifetime
    stage.say(f"{lifetime:g} seconds pass, as long as the nonce is to live")
    stage.wait(lifetime + 1)
    stage.say("From outside he uses the token, with a care-of keygen token of his own that is new")
    own = ask(stage, outsider, CARE_OF_TEST, outsider.address)
    forged = correspondent_registration(
        mn,
        cn,
        outsider.address,
        key=binding_management_key(home.value, own.value),
        indices=(home.index, own.index),
        sequence=1,
    )
    stage.attack(outsider, forged, note="Binding Update by a token that was kept")
    stage.succeeds_if(outsider.link, routed_to(outsider.address, mn), "a packet for the mobile node")
    stage.wait(2.0)


@exercise(AttackRange, "15.4.2", Safeguard.CARE_OF_TEST)
def flooded_victim(stage: AttackStage) -> None:
    """An outsider orders a stream, and says that he has moved to a victim's address."""
    cn, victim = (stage.network.node(name).spec.address for name in ("cn", "victim"))
    outsider = stage.attacker("outsider")
    stage.stream("cn", "outsider", every=0.01)
    stage.say("The outsider passes both tests for his own address, and tells of the victim's as his care-of address")
    home = ask(stage, outsider, HOME_TEST, outsider.address)
    own = ask(stage, outsider, CARE_OF_TEST, outsider.address)
    forged = correspondent_registration(
        outsider.address,
        cn,
        victim,
        source=outsider.address,
        key=binding_management_key(home.value, own.value),
        indices=(home.index, own.index),
        sequence=1,
    )
    stage.attack(outsider, forged, note="Binding Update for the victim's address")
    stage.succeeds_if(
        "visited2", routed_to(victim, outsider.address), "a packet that the victim never asked for", at_least=FLOOD
    )
    stage.wait(2.0)
