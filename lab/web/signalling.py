"""Messages of Mobile IPv6 as captures see them come: each is told when it leaves, and again as it gets further."""

from collections.abc import Sequence

from lab.report.address_book import AddressBook
from lab.report.decoding import is_signalling
from lab.report.ladder import SAME_MESSAGE_WITHIN, Message, messages
from lab.verify.frame import Frame


def identity(message: Message) -> str:
    """Name a message by where it was seen first, which stays as it gets further."""
    first = message.legs[0].frames[0]
    return f"{first.link}-{first.number}"


class Signalling:
    """The messages that are under way; `book` is the one that others keep up to date."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book
        self._recent: list[Frame] = []
        self._told: dict[str, int] = {}
        """In how many frames a message was seen when it was told."""

    def take(self, frames: Sequence[Frame]) -> list[Message]:
        """Take packets, and give the messages that are new or got further."""
        self._recent += [frame for frame in frames if is_signalling(frame.innermost)]
        if not self._recent:
            return []
        self._recent.sort(key=lambda frame: frame.time)
        found = messages(self._recent, self._book)
        seen = {identity(message): [frame for leg in message.legs for frame in leg.frames] for message in found}
        changed = [message for message in found if self._told.get(identity(message)) != len(seen[identity(message)])]
        over = self._recent[-1].time - 2 * SAME_MESSAGE_WITHIN
        lasting = {name: sighted for name, sighted in seen.items() if max(f.time for f in sighted) > over}
        self._recent = [frame for sighted in lasting.values() for frame in sighted]
        self._told = {name: len(sighted) for name, sighted in lasting.items()}
        return changed
