"""Where the nodes and links of a network are drawn, and streams between them: rows from the correspondents down."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import atan2, degrees, hypot

from lab.report.model import Described
from lab.report.routes import Route, Share, Way

SLOT, ROW, MARGIN = 96.0, 78.0, 30.0
"""Units between neighbours and between rows, and around all."""
BESIDE = 9.0
AT_MOST = 34.0
"""Units between two lines along the same edge, and between the outermost of many."""
BESIDE_EACH_OTHER = 0.6
"""Slots between mobile nodes on the same link."""
SHOWN_ROUTES = 2
"""So many routes of a stream are drawn; the others are told in words."""
AT_TOP = "correspondent"
MOBILE = "mobile-node"


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A place in a drawing."""

    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Places of nodes and links; a link between two nodes alone is a line, any other a bar that nodes hang on."""

    width: float
    height: float
    nodes: Mapping[str, Point]
    kinds: Mapping[str, str]
    bars: Mapping[str, Point]
    lines: Mapping[str, tuple[str, str]]
    hangers: Sequence[tuple[str, str]]
    """Nodes, without mobile ones, and the bars that they hang on."""
    rooms: Mapping[str, Point]
    """Where mobile nodes are drawn, by bars."""
    mobile: Mapping[str, float]
    """How far beside the middle of a room each mobile node is drawn, if it is not alone there."""

    def link(self, name: str) -> Point:
        """Give the middle of a link."""
        if name in self.bars:
            return self.bars[name]
        one, other = (self.nodes[end] for end in self.lines[name])
        return Point((one.x + other.x) / 2, (one.y + other.y) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A straight piece of a stream's way."""

    stream: int
    way: Way
    start: Point
    end: Point

    @property
    def middle(self) -> Point:
        """Where an arrowhead tells its direction."""
        return Point((self.start.x + self.end.x) / 2, (self.start.y + self.end.y) / 2)

    @property
    def angle(self) -> float:
        """Its direction in degrees, clockwise from the right."""
        return degrees(atan2(self.end.y - self.start.y, self.end.x - self.start.x))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A network at one time: where mobile nodes are, and where streams go."""

    layout: Layout
    mobile: Mapping[str, Point]
    hung: Mapping[str, str]
    """Mobile nodes and the links that they are on."""
    gone: Sequence[Point]
    """Places that mobile nodes just left."""
    strokes: Sequence[Stroke]
    losses: Sequence[tuple[int, Point]]
    """Streams, and where their packets were seen last."""


@dataclass(slots=True)
class _Tree:
    """The network without mobile nodes, hung up at its centre."""

    row: dict[str, int] = field(default_factory=dict)
    below: dict[str, list[str]] = field(default_factory=dict)


def layout(network: Described, visited: Collection[str] = ()) -> Layout | None:
    """Place what is told of a network, with room for mobile nodes at home and on visited links.

    None if that is nothing, or a network in pieces.
    """
    static = {node.name: [each.link for each in node.interfaces] for node in network.nodes if node.kind != MOBILE}
    mobile = [node for node in network.nodes if node.kind == MOBILE]
    roomy = {*visited, *(node.home for node in mobile)}
    ends = {link.name: [name for name, links in static.items() if link.name in links] for link in network.links}
    lines = {name: (at[0], at[1]) for name, at in ends.items() if len(at) == 2 and name not in roomy}
    bars = [name for name in ends if name not in lines]
    if not static:
        return None
    neighbours: dict[str, list[str]] = {name: [] for name in (*static, *bars)}
    hangers = [(node, link) for node, links in static.items() for link in links if link in bars]
    for one, other in (*lines.values(), *hangers):
        neighbours[one].append(other)
        neighbours[other].append(one)
    kinds = {node.name: node.kind for node in network.nodes}
    tree = _hang(neighbours, kinds)
    if len(tree.row) < len(neighbours):
        return None
    rooms = {_room(bar): max(1.0, len(mobile) * BESIDE_EACH_OTHER) for bar in bars if bar in roomy}
    for bar in bars:
        if _room(bar) in rooms:
            tree.below[bar].append(_room(bar))
            tree.below[_room(bar)] = []
            tree.row[_room(bar)] = tree.row[bar] + 1
    places = _place(tree, rooms)
    beside = [(number - (len(mobile) - 1) / 2) * SLOT * BESIDE_EACH_OTHER for number in range(len(mobile))]
    return Layout(
        width=max(place.x for place in places.values()) + SLOT / 2 + MARGIN,
        height=max(place.y for place in places.values()) + MARGIN,
        nodes={name: place for name, place in places.items() if name in static},
        kinds=kinds,
        bars={name: places[name] for name in bars},
        lines=lines,
        hangers=hangers,
        rooms={bar: places[_room(bar)] for bar in bars if _room(bar) in rooms},
        mobile={node.name: place for node, place in zip(mobile, beside, strict=True)},
    )


def _room(bar: str) -> str:
    """Name the room of a bar: no node has such a name."""
    return f"room of {bar}"


def draw(
    plan: Layout, at: Mapping[str, str], streams: Mapping[str, int], shares: Sequence[Share], left: str = ""
) -> Drawing:
    """Draw streams, by their numbers, while mobile nodes are at links; `left` is one that somebody just left."""
    alone = Counter(at.values())
    mobile = {
        name: Point(room.x + (plan.mobile[name] if alone[link] > 1 else 0), room.y)
        for name, link in at.items()
        if link in plan.rooms and name in plan.mobile
        for room in [plan.rooms[link]]
    }
    places = {**plan.nodes, **mobile}
    strokes: list[Stroke] = []
    losses: list[tuple[int, Point]] = []
    drawn: Counter[str] = Counter()
    for share in shares:
        drawn[share.stream] += 1
        if drawn[share.stream] > SHOWN_ROUTES:
            continue
        number, way = streams[share.stream], _points(plan, places, at, share.route)
        strokes += [Stroke(stream=number, way=kind, start=start, end=end) for (start, _), (end, kind) in pairwise(way)]
        if not share.route.arrived and way:
            losses.append((number, way[-1][0]))
    gone = [plan.rooms[left]] if left in plan.rooms and left not in at.values() else []
    hung = {name: link for name, link in at.items() if name in mobile}
    return Drawing(layout=plan, mobile=mobile, hung=hung, gone=gone, strokes=_side_by_side(strokes), losses=losses)


def _points(plan: Layout, places: Mapping[str, Point], at: Mapping[str, str], route: Route) -> list[tuple[Point, Way]]:
    """Give the corners of a route, each with how it is come to; a packet for who is not there ends on a link."""
    corners: list[tuple[Point, Way]] = []
    for hop in route.hops:
        here = [places[hop.sender]] if hop.sender in places and at.get(hop.sender, hop.link) == hop.link else []
        there = [places[hop.receiver]] if hop.receiver in places and at.get(hop.receiver, hop.link) == hop.link else []
        middle = [plan.link(hop.link)] if hop.link in plan.bars or (hop.link in plan.lines and not there) else []
        for corner in (*here, *middle, *there):
            if not corners or corners[-1][0] != corner:
                corners.append((corner, hop.way))
    return corners


def _side_by_side(strokes: Sequence[Stroke]) -> list[Stroke]:
    """Move strokes aside that run along the same edge, whichever way they go."""
    edges = [(min(ends), max(ends)) for ends in ((stroke.start, stroke.end) for stroke in strokes)]
    wanted, used = Counter(edges), Counter[tuple[Point, Point]]()
    moved = []
    for stroke, edge in zip(strokes, edges, strict=True):
        low, high = edge
        apart = min(BESIDE, AT_MOST / max(wanted[edge] - 1, 1)) / (hypot(high.x - low.x, high.y - low.y) or 1.0)
        offset = apart * ((wanted[edge] - 1) / 2 - used[edge])
        used[edge] += 1
        dx, dy = (high.y - low.y) * offset, (low.x - high.x) * offset
        start, end = (Point(place.x + dx, place.y + dy) for place in (stroke.start, stroke.end))
        moved.append(replace(stroke, start=start, end=end))
    return moved


def _hang(neighbours: Mapping[str, Sequence[str]], kinds: Mapping[str, str]) -> _Tree:
    """Make rows by the distance from what has most neighbours; branches that end in correspondents go up."""
    centre = max(neighbours, key=lambda name: len(neighbours[name]))
    tree, queue, parents = _Tree(row={centre: 0}), [centre], {centre: ""}
    for name in queue:
        tree.below[name] = [other for other in neighbours[name] if other not in parents]
        for other in tree.below[name]:
            parents[other] = name
            up = kinds.get(other) == AT_TOP if name == centre else tree.row[name] < 0
            tree.row[other] = tree.row[name] + (-1 if up else 1)
        queue += tree.below[name]
    return tree


def _place(tree: _Tree, wide: Mapping[str, float]) -> dict[str, Point]:
    """Give each its place, parents above the middle of what hangs on them."""
    top = min(tree.row.values())
    across: dict[str, float] = {}
    free = {True: 0.0, False: 0.0}
    """The next free place of the upper half and of the lower."""

    def settle(name: str) -> float:
        upper = tree.row[name] < 0
        places = [(settle(child), tree.row[child] < 0) for child in tree.below[name]]
        own = [place for place, up in places if up == upper] or [place for place, _ in places]
        if own:
            across[name] = (min(own) + max(own)) / 2
        else:
            room = wide.get(name, 1.0)
            across[name] = free[upper] + room / 2
            free[upper] += room
        return across[name]

    centre = next(name for name, row in tree.row.items() if row == 0)
    settle(centre)
    high = [name for name in across if tree.row[name] < 0]
    if high:
        middle = (min(across[name] for name in high) + max(across[name] for name in high)) / 2
        shift = across[centre] - middle
        across |= {name: across[name] + shift for name in high}
    low = min(across.values())
    return {
        name: Point((place - low) * SLOT + MARGIN + SLOT / 2, (tree.row[name] - top) * ROW + MARGIN)
        for name, place in across.items()
    }
