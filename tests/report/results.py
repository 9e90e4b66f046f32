"""A result and records to report on, with hostile names wherever a name can be."""

from dataclasses import replace
from ipaddress import IPv6Address

from lab.events import EVENTS, MessageSent, PacketDropped, Record, ScenarioStep
from lab.report.handovers import Handover
from lab.report.model import Attack, Result
from lab.verify.check import Check, Evidence, Verdict
from tests.unit.event_samples import sample

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&amp;{{ 7 * 7 }}"
ESCAPES = "javascript:alert(1)"


def result() -> Result:
    """Make a result that names only what is harmless."""
    parts = {"link": 10.0, "router": 1.5, "address": 0.5, "registration": 2.0, "first_packet": 1.0}
    return Result(
        scenario="handover",
        topology="TwoVisitedLinks",
        seed=7,
        plane="user",
        kernel="host",
        time="real",
        settings={"dad": "optimistic"},
        versions={"python": "3.11"},
        started=1_795_563_081.5,
        duration_s=12.5,
        ok=True,
        checks=[
            Check(
                id="c1",
                title="a check",
                requirements=("10.3.1-a",),
                verdict=Verdict.PASSED,
                detail="seen",
                evidence=(Evidence(capture="home", frame=7, note="the one"),),
            ),
            Check(id="c2", title="another", requirements=(), verdict=Verdict.NOT_APPLICABLE, detail=""),
        ],
        handovers=[
            Handover(
                mobile_node="mn",
                from_link="home",
                to_link="visited1",
                began=1_795_563_082.0,
                interruption_ms=15.0,
                lost=2,
                breakdown=parts,
            )
        ],
        captures={"home": "captures/home.pcapng"},
        streams={"cn-mn": "streams/cn-mn.csv"},
    )


def exercise_result(*, without: bool) -> Result:
    """Make the result of an exercise, whose attack has the outcome that it ought to have."""
    attack = Attack(
        section="15.3",
        protection="esp",
        attempted=True,
        succeeded=without,
        expected=without,
        evidence=[Evidence(capture="outside", frame=13, note="sent by the attacker")],
        events=["ha: drops a packet: unprotected"],
        caught_by=["c3"],
    )
    caught = Check(id="c3", title="a third", requirements=(), verdict=Verdict.FAILED, detail="broken")
    plain = result()
    return replace(plain, checks=[*plain.checks, caught], without=["esp"] if without else [], attack=attack)


def hostile_result() -> Result:
    """Make a result in which every text is an attack."""
    (check, _), (handover,) = result().checks, result().handovers
    evil = replace(check, id=HOSTILE, title=HOSTILE, requirements=(HOSTILE,), detail=HOSTILE, verdict=Verdict.FAILED)
    evil = replace(evil, evidence=(Evidence(capture=HOSTILE, frame=1, note=HOSTILE),))
    return replace(
        result(),
        scenario=HOSTILE,
        topology=HOSTILE,
        plane=HOSTILE,
        settings={HOSTILE: HOSTILE},
        versions={HOSTILE: HOSTILE},
        ok=False,
        error=HOSTILE,
        checks=[evil],
        handovers=[replace(handover, from_link=HOSTILE, to_link=HOSTILE, breakdown={HOSTILE: 1.0})],
        captures={"a": ESCAPES, "b": HOSTILE, "c": "//example.org/x"},
        streams={"d": "https://example.org/x", "e": "data:text/html,x"},
        without=[HOSTILE],
        attack=Attack(
            section=HOSTILE,
            protection=HOSTILE,
            attempted=True,
            succeeded=True,
            expected=False,
            evidence=[Evidence(capture=HOSTILE, frame=1, note=HOSTILE)],
            events=[HOSTILE],
            caught_by=[HOSTILE],
        ),
    )


def records() -> list[Record]:
    """Make a record of every kind of event."""
    return [Record(time=1_795_563_081.5 + n, node="mn", event=sample(kind)) for n, kind in enumerate(EVENTS.values())]


def hostile_records() -> list[Record]:
    """Make records in which every text is an attack."""
    here = IPv6Address("2001:db8::1")
    events = (
        ScenarioStep(text=HOSTILE),
        MessageSent(message=HOSTILE, source=here, destination=here, summary=HOSTILE),
        PacketDropped(reason=HOSTILE, detail=HOSTILE),
    )
    return [Record(time=1_795_563_081.5, node=HOSTILE, event=event) for event in events]
