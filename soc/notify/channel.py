"""What every channel does: take the messages of one route, and say in plain words what came of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Protocol

from soc.errors import SocError
from soc.notify.message import Message
from soc.notify.route import Channel, Route
from soc.notify.text import line

# Sends one message and returns what was answered, for people. Raises `Undelivered`.
Send = Callable[[Message], str]


class Undelivered(SocError):  # noqa: N818 - as in soc.errors, the bare name reads better
    """It did not arrive, and why, in one line. `again`: it may later, as a server that is away comes back. `partly`: some of the
    receivers have it, and would have it twice."""

    def __init__(self, reason: str, *, again: bool = False, partly: bool = False) -> None:
        super().__init__(line(reason, 300))
        self.again = again
        self.partly = partly


class Sender(Protocol):
    def open(self, route: Route) -> AbstractContextManager[Send]:
        """For the messages of one round: what can be shared between them, such as a connection, is. Connects at the first message.

        `Send` blocks for as long as the other side takes, up to a bound.
        """
        ...


# One for each channel.
Senders = Mapping[Channel, Sender]
