"""All lessons in the order in which they are taught."""

from lab.errors import ConfigError
from lab.lessons import (
    handover,
    home_address,
    measuring,
    own_topology,
    registration,
    returning_home,
    route_optimisation,
    tunnel,
)
from lab.lessons.lesson import PREFIX, Lesson

COURSE = (
    home_address.LESSON,
    tunnel.LESSON,
    registration.LESSON,
    handover.LESSON,
    route_optimisation.LESSON,
    returning_home.LESSON,
    measuring.LESSON,
    own_topology.LESSON,
)


def find_lesson(name: str) -> Lesson:
    """Find a lesson by its name, with `lesson/` or without it; raises `ConfigError` that lists them."""
    short = name.removeprefix(PREFIX)
    for lesson in COURSE:
        if lesson.name == short:
            return lesson
    raise ConfigError(f"no lesson {short}; known: {', '.join(lesson.name for lesson in COURSE)}")
