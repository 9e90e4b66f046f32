"""Who a home agent serves, and by which status it refuses the others (RFC 6275 §9.5.1, §10.3.1, §10.3.2)."""

from ipaddress import IPv6Address

from lab.constants import Status
from lab.engine.binding_cache import BindingCache
from lab.engine.config import HomeAgentConfig
from lab.engine.home_binding import Probing, Registered, State, last_sequence
from lab.engine.home_registration import Registration
from lab.engine.io import Instant
from lab.engine.prefix_service import PrefixService
from lab.engine.sequence import is_newer
from lab.safeguards import NOTHING, Safeguard, Without
from lab.wire.addresses import is_unicast_routable


class Admission:
    """Judges Binding Updates by the configuration, the binding cache and what an administrator said meanwhile."""

    def __init__(
        self,
        config: HomeAgentConfig,
        cache: BindingCache[State],
        prefixes: PrefixService,
        without: Without = NOTHING,
    ) -> None:
        self._without = without
        self._config = config
        self._cache = cache
        self._prefixes = prefixes
        self.cut_off: set[IPv6Address] = set()
        """Home addresses that an administrator wants served no more (§15.3)."""

    def objection(self, registration: Registration, *, ends: bool, corresponds: bool, now: Instant) -> Status | None:
        """Find the status that refuses a Binding Update, if one does; the first of these reasons counts.

        132 and 133 whose home address it is not, 135 an old sequence number, 139 a binding as a correspondent
        (`corresponds`). If it `ends` a binding, only 133 is left, for there being none. Else 129 a home address that is
        prohibited, 174 a care-of address that cannot be one, 129 a care-of address that is prohibited, 130 no room.
        """
        home_address = registration.home_address
        state = self._cache.get(home_address)
        if (status := self._foreign(home_address, now)) is not None:
            return status
        if state is not None and self._is_old(registration.sequence, last_sequence(state)):
            return Status.SEQUENCE_NUMBER_OUT_OF_WINDOW
        if corresponds:
            return Status.REGISTRATION_TYPE_CHANGE_DISALLOWED  # §9.5.1
        if ends:
            # A deregistration repeated because its acknowledgement was lost is accepted again while its
            # sequence number is kept; without any entry there is nothing to end (§10.3.2).
            return None if state is not None else Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE
        if self._is_prohibited(home_address):
            return Status.ADMINISTRATIVELY_PROHIBITED
        if not is_unicast_routable(registration.care_of_address):
            return Status.INVALID_CARE_OF_ADDRESS
        if self._cannot_be_visited(registration.care_of_address):
            return Status.ADMINISTRATIVELY_PROHIBITED
        if self._is_full(state):
            return Status.INSUFFICIENT_RESOURCES
        return None

    def _is_old(self, sequence: int, last: int) -> bool:
        return not is_newer(sequence, last) and Safeguard.SEQUENCE_CHECK not in self._without  # §9.5.1

    def serves(self, home_address: IPv6Address, now: Instant) -> bool:
        """Tell whether a home address may have a binding."""
        return self._foreign(home_address, now) is None and not self._is_prohibited(home_address)

    def _foreign(self, home_address: IPv6Address, now: Instant) -> Status | None:
        if not self._prefixes.limit(home_address, now):
            return Status.NOT_HOME_SUBNET
        if self._config.allowed is not None and home_address not in self._config.allowed:
            return Status.NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE
        return None

    def _is_prohibited(self, home_address: IPv6Address) -> bool:
        return home_address in self.cut_off or any(home_address in prefix for prefix in self._config.refused)

    def _cannot_be_visited(self, care_of_address: IPv6Address) -> bool:
        """Tell whether a care-of address is refused, or is itself a home address that is bound here.

        Packets would come back to this home agent for ever (§15.1).
        """
        bound = isinstance(self._cache.get(care_of_address), Registered | Probing)
        return bound or any(care_of_address in prefix for prefix in self._config.refused_care_of)

    def _is_full(self, state: State | None) -> bool:
        limit = self._config.max_bindings
        return limit is not None and state is None and len(self._cache) >= limit
