"""The binding cache: home addresses and the states of their bindings (RFC 6275 §9.1)."""

from lab.engine.timetable import S, Timetable


class BindingCache(Timetable[S]):
    """Home address to state of its binding."""
