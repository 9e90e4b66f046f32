"""A topology as reports and pages know it."""

from lab.emulation.spec import Declaration, NodeSpec
from lab.report.model import Interface, Link, Node, Plan


def plan_of(topology: Declaration) -> Plan:
    """Tell of the links and nodes of a topology, as they are when it comes up."""
    return Plan(
        links=[Link(name=link.name, prefix=str(link.prefix)) for link in topology.link_specs.values()],
        nodes=[_node(node) for node in topology.node_specs.values()],
    )


def _node(node: NodeSpec) -> Node:
    return Node(
        name=node.name,
        kind=node.kind,
        home=node.home.name if node.home else None,
        home_addresses=[str(address) for address in node.home_addresses],
        interfaces=[
            Interface(
                link=plug.link.name,
                address=str(plug.address) if plug.address else None,
                link_layer_address=plug.link_layer_address.hex(":"),
            )
            for plug in node.plugs
        ],
    )
