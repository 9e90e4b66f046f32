"""An administrator's hand: whom home agents serve, said to all of a mobile node's home link (RFC 6275 §15.3)."""

from collections.abc import Iterable

from lab.emulation.node import LabNode
from lab.emulation.spec import Kind
from lab.errors import TopologyError


def cut_off(mobile_node: LabNode, nodes: Iterable[LabNode]) -> None:
    """End the bindings of a mobile node at those of the nodes that are its home agents, and have new ones refused.

    Raises `TopologyError` for a node that is not mobile, `CommandError` if a home agent does not answer.
    """
    _tell("cutoff", mobile_node, nodes)


def readmit(mobile_node: LabNode, nodes: Iterable[LabNode]) -> None:
    """Let a mobile node that was cut off register again; raises as `cut_off` does."""
    _tell("readmit", mobile_node, nodes)


def _tell(command: str, mobile_node: LabNode, nodes: Iterable[LabNode]) -> None:
    spec = mobile_node.spec
    if not spec.home_addresses:
        raise TopologyError(f"{mobile_node.name} is a {spec.kind}: it has no home address")
    for node in nodes:
        if node.spec.kind is Kind.HOME_AGENT and node.spec.home == spec.home:
            for home_address in spec.home_addresses:
                node.control(command, home_address=str(home_address))
