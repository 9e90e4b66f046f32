"""What is said to the kernel about policies and states, and what it tells by itself."""

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Self

from lab.errors import PlaneError
from lab.netlink import HEADER, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, messages
from lab.xfrm.objects import Group, Migration, Policy, PolicyKind, State, Told, Use
from lab.xfrm.octets import (
    DELPOLICY,
    DELSA,
    FLUSHPOLICY,
    FLUSHSA,
    GETPOLICY,
    GETSA,
    MIGRATE,
    NEWPOLICY,
    NEWSA,
    UPDPOLICY,
    UPDSA,
    decode_policy,
    decode_state,
    decode_told,
    decode_use,
    encode_migration,
    encode_policy,
    encode_policy_id,
    encode_policy_kind,
    encode_state,
    encode_state_id,
    is_ipv6_policy,
    is_ipv6_state,
)

NETLINK_XFRM = 6


class Xfrm:
    """A conversation with the kernel, in the network namespace of the thread that opens it; raises `PlaneError`."""

    def __init__(self) -> None:
        self._socket = _open(0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the conversation; may be called twice."""
        self._socket.close()

    def add_state(self, state: State) -> None:
        """Make a state; one that is there is an error."""
        self._do(NEWSA, encode_state(state), f"add {state}")

    def update_state(self, state: State) -> None:
        """Change a state that is there, such as its care-of address."""
        self._do(UPDSA, encode_state(state), f"update {state}")

    def remove_state(self, state: State) -> None:
        """Remove a state; one that is not there is no error."""
        self._do(DELSA, encode_state_id(state), f"remove {state}", frozenset({errno.ESRCH}))

    def states(self) -> dict[State, Use]:
        """Give all states of IPv6 with their use."""
        bodies = self._dump(GETSA)
        return {decode_state(body): decode_use(body) for body in bodies if is_ipv6_state(body)}

    def use(self, state: State) -> Use | None:
        """Give what a state has transformed; None if it is not there."""
        for kind, body in self._ask(GETSA, encode_state_id(state), f"find {state}", frozenset({errno.ESRCH})):
            if kind == NEWSA:
                return decode_use(body)
        return None

    def flush_states(self, protocol: int = 0) -> None:
        """Remove all states, or those of one protocol, whoever made them."""
        self._do(FLUSHSA, bytes((protocol,)), "flush states", frozenset({errno.ESRCH}))

    def add_policy(self, policy: Policy) -> None:
        """Make a policy; one with the same selector is an error."""
        self._do(NEWPOLICY, encode_policy(policy), f"add {policy}")

    def update_policy(self, policy: Policy) -> None:
        """Make a policy, in place of one with the same selector; routes of its packets are looked up anew."""
        self._do(UPDPOLICY, encode_policy(policy), f"update {policy}")

    def remove_policy(self, policy: Policy) -> None:
        """Remove a policy; one that is not there is no error."""
        self._do(DELPOLICY, encode_policy_id(policy), f"remove {policy}", frozenset({errno.ENOENT}))

    def policies(self) -> list[Policy]:
        """Give all policies of IPv6, but for those of sockets."""
        return [decode_policy(body) for body in self._dump(GETPOLICY) if is_ipv6_policy(body)]

    def flush_policies(self, kind: PolicyKind = PolicyKind.MAIN) -> None:
        """Remove all policies of a kind, whoever made them."""
        self._do(FLUSHPOLICY, encode_policy_kind(kind), "flush policies")

    def migrate(self, policy: Policy, migrations: Iterable[Migration]) -> None:
        """Give the templates of a policy, and the states that they ask for, new ends at once."""
        self._do(MIGRATE, encode_migration(policy, migrations), f"migrate {policy}")

    def _do(self, kind: int, body: bytes, what: str, tolerated: frozenset[int] = frozenset()) -> None:
        for _ in self._ask(kind, body, what, tolerated):
            pass

    def _ask(
        self, kind: int, body: bytes, what: str, tolerated: frozenset[int] = frozenset()
    ) -> Iterator[tuple[int, bytes]]:
        """Send a request; give what comes before its acknowledgement."""
        sequence = self._send(kind, NLM_F_REQUEST | NLM_F_ACK, body)
        for answer, content in self._answers(sequence):
            if answer != NLMSG_ERROR:
                yield answer, content
                continue
            code = -struct.unpack_from("=l", content)[0]
            if code and code not in tolerated:
                raise PlaneError(f"{what}: {os.strerror(code)} ({errno.errorcode.get(code, code)})")
            return

    def _dump(self, kind: int) -> Iterator[bytes]:
        sequence = self._send(kind, NLM_F_REQUEST | NLM_F_DUMP, b"")
        for answer, body in self._answers(sequence):
            if answer == NLMSG_DONE:
                return
            if answer == NLMSG_ERROR:
                raise PlaneError(f"list: {os.strerror(-struct.unpack_from('=l', body)[0])}")
            yield body

    def _send(self, kind: int, flags: int, body: bytes) -> int:
        self._sequence += 1
        self._socket.send(HEADER.pack(HEADER.size + len(body), kind, flags, self._sequence, 0) + body)
        return self._sequence

    def _answers(self, wanted: int) -> Iterator[tuple[int, bytes]]:
        while True:
            for kind, sequence, message in messages(self._socket.recv(1 << 17)):
                if sequence == wanted:
                    yield kind, message[HEADER.size :]


class Listener:
    """Hears what the kernel tells by itself of some groups."""

    def __init__(self, *groups: Group) -> None:
        self._socket = _open(sum(1 << group - 1 for group in groups))
        self._socket.setblocking(False)

    def fileno(self) -> int:
        """Give the descriptor, to be watched."""
        return self._socket.fileno()

    def receive(self) -> list[Told]:
        """Take what was told since; what the kernel could not keep for us is lost."""
        told: list[Told] = []
        while True:
            try:
                octets = self._socket.recv(1 << 17)
            except BlockingIOError:
                return told
            except OSError:  # ENOBUFS: some were lost
                continue
            told += [item for kind, _, message in messages(octets) if (item := decode_told(kind, message)) is not None]

    def close(self) -> None:
        """Hear no more; may be called twice."""
        self._socket.close()


def _open(groups: int) -> socket.socket:
    try:
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_XFRM)
    except OSError as error:
        raise PlaneError(f"speak of transformations with the kernel: {error.strerror} (xfrm_user is needed)") from error
    made.bind((0, groups))
    return made
