"""The constants of RFC 6275 §12 and the variables of §13, under the RFC's names.

Times are in seconds.
"""

from enum import IntEnum

# §12: protocol constants
DHAAD_RETRIES = 4
INITIAL_BINDACK_TIMEOUT = 1.0
INITIAL_DHAAD_TIMEOUT = 3.0
INITIAL_SOLICIT_TIMER = 3.0
MAX_BINDACK_TIMEOUT = 32.0
MAX_DELETE_BCE_TIMEOUT = 10.0
MAX_NONCE_LIFETIME = 240.0
MAX_TOKEN_LIFETIME = 210.0
MAX_RO_FAILURE = 3
MAX_RR_BINDING_LIFETIME = 420.0
MAX_UPDATE_RATE = 3
"""Messages of one type to one peer in one second."""
PREFIX_ADV_RETRIES = 3
PREFIX_ADV_TIMEOUT = 3.0

# §13: protocol configuration variables, at their defaults
INITIAL_BINDACK_TIMEOUT_FIRST_REG = 1.5
MAX_MOB_PFX_ADV_INTERVAL = 86400.0
MIN_MOB_PFX_ADV_INTERVAL = 600.0

# RFC 4861 §10, RFC 4862 §5.1: what Neighbor Discovery lends to Mobile IPv6
RETRANS_TIMER = 1.0
DUP_ADDR_DETECT_TRANSMITS = 1
MAX_NEIGHBOR_ADVERTISEMENT = 3
MAX_RTR_SOLICITATIONS = 3
RTR_SOLICITATION_INTERVAL = 4.0

ENCAPSULATION_LIMIT = 4
"""How many more tunnels may carry what a tunnel carries already (RFC 2473 §6.6)."""
LARGEST_ENCAPSULATION_LIMIT = 0xFF
# RFC 3810 §9: what Multicast Listener Discovery lends to §10.4.3
ROBUSTNESS_VARIABLE = 2
UNSOLICITED_REPORT_INTERVAL = 1.0
QUERY_INTERVAL = 125
STARTUP_QUERY_INTERVAL = QUERY_INTERVAL / 4
STARTUP_QUERY_COUNT = ROBUSTNESS_VARIABLE
LAST_LISTENER_QUERY_TIME = 2.0
TUNNEL_QUERY_RESPONSE_INTERVAL = 0.1
"""Query Response Interval; 10 seconds by default, so that many listeners of a link do not answer all at once."""
# RFC 8415 §7.6: what DHCPv6 lends to §10.4.4
HOP_COUNT_LIMIT = 8
"""Relay agents through which a message may go."""

MINIMUM_MTU = 1280
"""Octets that every link carries, RFC 8200 §5."""

LIFETIME_UNIT = 4
"""Seconds in one unit of a lifetime field, §6.1.7 and §6.1.8."""
MAX_LIFETIME = 0xFFFF * LIFETIME_UNIT


class Status(IntEnum):
    """Binding Acknowledgement status, RFC 6275 §6.1.8; values below 128 accept."""

    ACCEPTED = 0
    ACCEPTED_PREFIX_DISCOVERY_NECESSARY = 1
    REASON_UNSPECIFIED = 128
    ADMINISTRATIVELY_PROHIBITED = 129
    INSUFFICIENT_RESOURCES = 130
    HOME_REGISTRATION_NOT_SUPPORTED = 131
    NOT_HOME_SUBNET = 132
    NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE = 133
    DUPLICATE_ADDRESS_DETECTION_FAILED = 134
    SEQUENCE_NUMBER_OUT_OF_WINDOW = 135
    EXPIRED_HOME_NONCE_INDEX = 136
    EXPIRED_CARE_OF_NONCE_INDEX = 137
    EXPIRED_NONCES = 138
    REGISTRATION_TYPE_CHANGE_DISALLOWED = 139
    INVALID_CARE_OF_ADDRESS = 174


class BindingErrorStatus(IntEnum):
    """Binding Error status, RFC 6275 §6.1.9."""

    UNKNOWN_BINDING_FOR_HOME_ADDRESS_OPTION = 1
    UNRECOGNIZED_MH_TYPE = 2


ACCEPTED_BELOW = 128
"""A Binding Acknowledgement status below this one accepts, §6.1.8."""
