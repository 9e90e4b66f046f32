"""A scenario for tests: ten minutes in which nothing happens but what protocols do by themselves."""

from lab.emulation.scenario import Stage, scenario
from lab.events import BindingRegistered
from topologies.two_visited_links import TwoVisitedLinks

SECONDS = 600


@scenario(TwoVisitedLinks, ra_interval=60.0)
def quiet(stage: Stage) -> None:
    """Away from home, the mobile node keeps its binding for ten minutes."""
    stage.move("mn", "visited1")
    lifetime = stage.expect(BindingRegistered, node="ha").event.lifetime  # type: ignore[attr-defined]
    stage.wait(SECONDS)
    registered = sum(isinstance(record.event, BindingRegistered) for record in stage.records())
    stage.check(
        "binding-is-kept", registered > SECONDS // lifetime, "11.7.1-c", detail=f"registered {registered} times"
    )
