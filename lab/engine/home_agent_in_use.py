"""The home agent that a home address is registered with: the binding there, and when another is turned to (§11.4.1)."""

from ipaddress import IPv6Address

from lab.auth.secrets import Secrets
from lab.engine.binding_update_list import HomeRegistration, Outcome
from lab.engine.config import MobileNodeConfig
from lab.engine.home_agent_choice import NO_LONGER_WANTED, HomeAgentChoice
from lab.engine.home_agents_list import HomeAgentEntry, HomeAgentsList
from lab.engine.io import Effect, Instant
from lab.engine.movement import Router
from lab.engine.sending_limit import SendingLimit
from lab.wire.icmpv6 import ParameterProblem
from lab.wire.mobility import BindingAcknowledgement


class HomeAgentInUse:
    """Keeps the registration at the home agent that the choice names; only while away is it given up for another."""

    def __init__(
        self, config: MobileNodeConfig, secrets: Secrets, home_agents: HomeAgentsList, limit: SendingLimit
    ) -> None:
        self.registration = HomeRegistration(config, limit)
        self.choice = HomeAgentChoice(config, secrets, home_agents)

    @property
    def address(self) -> IPv6Address | None:
        """Its address; None while no home agent is known."""
        return self.registration.home_agent

    def neighbor(self, router: Router, now: Instant) -> Router | HomeAgentEntry | None:
        """Give what it told of itself on the home link: it may be another than the router there."""
        if self.address in router.global_addresses or not router.global_addresses:
            return router
        return self.choice.neighbor(now)

    def acknowledged(
        self, acknowledgement: BindingAcknowledgement, *, away: bool, now: Instant
    ) -> tuple[list[Effect], Outcome]:
        """Take its answer to a Binding Update (§11.7.3)."""
        effects, outcome = self.registration.acknowledged(acknowledgement, now)
        if outcome is Outcome.ACCEPTED:
            self.choice.succeeded()
        elif outcome is Outcome.REFUSED and away and acknowledgement.status in NO_LONGER_WANTED:
            self.choice.failed(f"status {acknowledgement.status}", now)
        return effects, outcome

    def parameter_problem(self, problem: ParameterProblem, *, away: bool, now: Instant) -> list[Effect]:
        """Take its complaint (§11.3.5)."""
        effects = self.registration.parameter_problem(problem, now)
        if effects and away:
            self.choice.failed("unable", now)
        return effects

    def deadline(self) -> Instant | None:
        """When it is to be sent something, or another is to be found."""
        due = (self.choice.deadline(), None if self.choice.turning else self.registration.deadline())
        return min((instant for instant in due if instant is not None), default=None)

    def advance(self, *, away: bool, now: Instant) -> list[Effect]:
        """Do what is due."""
        if away and self.registration.is_unanswered(now):
            self.choice.failed("no acknowledgement", now)
        effects = self.choice.advance(now)
        return effects if self.choice.turning else effects + self.registration.advance(now)

    def follow(self, source: IPv6Address | None, *, away: bool, now: Instant) -> list[Effect]:
        """Ask for home agents where that is needed, from a source that is at hand; turn to the one that is chosen."""
        effects = self.choice.follow(source, away=away, last_sent=self.registration.last_sent, now=now)
        if self.choice.current != self.address:
            self.registration.turn_to(self.choice.current)
        return effects
