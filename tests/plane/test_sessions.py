"""Sessions of a home address that ends are told so (RFC 6275 §11.4.3)."""

import socket
from functools import partial
from ipaddress import IPv6Address

import pytest

from lab.engine.io import DisownHomeAddress, OwnHomeAddress
from lab.plane.user import UserPlane
from tests.lab.networks import WITHIN, settle_addresses
from tests.plane.machine import HOME, OTHER_HOME, Machine

pytestmark = pytest.mark.privileged


def session(machine: Machine, address: IPv6Address) -> tuple[socket.socket, socket.socket]:
    """Open a TCP connection of an address with itself."""
    stream = partial(socket.socket, socket.AF_INET6, socket.SOCK_STREAM)
    listener, client = machine.run(stream), machine.run(stream)
    with listener:
        listener.bind((str(address), 0))
        listener.listen()
        client.settimeout(WITHIN)
        client.connect(listener.getsockname())
        return client, listener.accept()[0]


@pytest.mark.rfc6275("11.4.3-a")
def test_sessions_end_with_their_home_address_and_no_others_do(kind: type[UserPlane]) -> None:
    machine = Machine(kind)
    machine.plane()
    for address in (HOME, OTHER_HOME):
        machine.apply(OwnHomeAddress(home_address=address))
        settle_addresses(machine.namespace)
    ended, lasting = session(machine, HOME), session(machine, OTHER_HOME)
    machine.apply(DisownHomeAddress(home_address=HOME))
    with pytest.raises(ConnectionAbortedError):
        ended[0].recv(1)
    lasting[1].sendall(b"!")
    assert lasting[0].recv(1) == b"!"
    for end in (*ended, *lasting):
        end.close()
    machine.close()
