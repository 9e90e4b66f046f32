"""Values that are found by a key which several of them may share."""

from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Index(Generic[Key, Value]):
    """Key to values, in the order in which they came."""

    def __init__(self) -> None:
        self._values: dict[Key, tuple[Value, ...]] = {}

    def __len__(self) -> int:
        return len(self._values)

    def add(self, key: Key, value: Value) -> None:
        """Have a value be found by a key, once however often it is added."""
        values = self._values.get(key, ())
        if value not in values:
            self._values[key] = (*values, value)

    def remove(self, key: Key, value: Value) -> None:
        """Undo `add`; nothing happens where that was not done."""
        left = tuple(each for each in self._values.get(key, ()) if each != value)
        if left:
            self._values[key] = left
        else:
            self._values.pop(key, None)

    def find(self, key: Key) -> tuple[Value, ...]:
        """Give the values of a key."""
        return self._values.get(key, ())
