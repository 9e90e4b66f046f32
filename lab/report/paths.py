"""The network as it is shown: drawn for the time before, during and after each change, with its streams in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from lab.events import MoveBegan, NodeFailed, NodeKilled
from lab.report.address_book import AddressBook
from lab.report.drawing import Drawing, Layout, draw, layout
from lab.report.model import Result
from lab.report.routes import Passage, Share, Timed, Way, shares

ARROWS = {Way.PLAIN: "→", Way.TUNNEL: "⇒", Way.DIRECT: "⇢"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A share of a stream, in words."""

    stream: int
    name: str
    packets: int
    arrived: bool
    way: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One drawing with what is said below it."""

    title: str
    drawing: Drawing
    said: Sequence[Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What belongs together: a change in three scenes, or the network in one."""

    title: str
    time: float | None
    """Seconds since the epoch."""
    scenes: Sequence[Scene]


def views(
    result: Result, book: AddressBook, taken: Mapping[str, Sequence[Timed]], changes: Sequence[Passage]
) -> list[View]:
    """Show each change, or the network if there is none, or no stream; nothing if the result tells of no network."""
    plan = layout(result, {link for places in book.places.values() for _, link in places})
    if plan is None:
        return []
    numbers = {name: number for number, name in enumerate(taken)}
    if not changes or not taken:
        everything = [share for name, packets in taken.items() for share in shares(name, [way for _, way in packets])]
        return [View(title="", time=None, scenes=[_scene("", plan, _at(book, 0.0), numbers, everything)])]
    shown = []
    number = 0
    for passage in changes:
        then = earlier = _at(book, passage.time)
        left, title = "", ""
        match passage.cause:
            case MoveBegan(mobile_node=node, from_link=left, to_link=to):
                number += 1
                earlier, title = then | {node: left}, f"Move {number}: {node} from {left} to {to}"
            case NodeFailed(name=name):
                title = f"{name} dies"
            case NodeKilled(name=name):
                title = f"The daemon of {name} is killed"
        scenes = [
            _scene("before", plan, earlier, numbers, passage.before),
            _scene("during", plan, then, numbers, passage.during, left),
            _scene("after", plan, then, numbers, passage.after),
        ]
        shown.append(View(title=title, time=passage.time, scenes=scenes))
    return shown


def _at(book: AddressBook, time: float) -> dict[str, str]:
    return {node: link for node in book.places for link in [book.at(node, time)] if link is not None}


def _scene(
    title: str, plan: Layout, at: Mapping[str, str], numbers: Mapping[str, int], taken: Sequence[Share], left: str = ""
) -> Scene:
    said = [
        Said(
            stream=numbers[share.stream],
            name=share.stream,
            packets=share.packets,
            arrived=share.route.arrived,
            way=in_words(share, plan),
        )
        for share in taken
    ]
    return Scene(title=title, drawing=draw(plan, at, numbers, taken, left), said=said)


def in_words(share: Share, plan: Layout) -> str:
    """Say which way packets took: → plainly, ⇒ in a tunnel, ⇢ straight, by the headers of RFC 6275."""
    hops = share.route.hops
    if not hops:
        return "not seen on any link"
    words = [hops[0].sender or f"link {hops[0].link}"]
    for hop, following in zip_longest(hops, hops[1:]):
        heard = hop.receiver or (following.sender if following else "")
        words += [ARROWS[hop.way], heard or f"link {hop.link}"]
    if not share.route.arrived and words[-1] not in plan.nodes:
        words[-1] = f"link {hops[-1].link}"
    return " ".join(words)
