"""Values that are found by a key which a few of them may share."""

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Index(Generic[Key, Value]):
    """Key to values, in the order in which they came: nearly all keys have one, few have some, none has very many."""

    def __init__(self) -> None:
        self._first: dict[Key, Value] = {}
        self._others: dict[Key, tuple[Value, ...]] = {}
        """What comes behind the first; a tuple for every key would be a quarter of all that a key costs."""

    def __len__(self) -> int:
        return len(self._first)

    def add(self, key: Key, value: Value) -> None:
        """Have a value be found by a key, once however often it is added."""
        if key not in self._first:
            self._first[key] = value
        elif value not in (values := self.find(key)):
            self._others[key] = (*values[1:], value)

    def remove(self, key: Key, value: Value) -> None:
        """Undo `add`; nothing happens where that was not done."""
        left = [each for each in self.find(key) if each != value]
        self._first.pop(key, None)
        self._others.pop(key, None)
        for each in left:
            self.add(key, each)

    def find(self, key: Key) -> tuple[Value, ...]:
        """Give the values of a key."""
        if key not in self._first:
            return ()
        return (self._first[key], *self._others.get(key, ()))
