"""A process that dies between two requests, or between a request and its answer."""

from __future__ import annotations

from soc.store.elastic.client import Client, connect


class Killed(BaseException):
    """Not an `Exception`: nothing that the code does about errors happens."""


class Mortal(Client):
    """Dies at its request number `at`: before the server has it, or when the server has done it and nobody hears the answer."""

    at: int
    answered: bool

    def perform_request(self, *args, **kwargs):
        self.at -= 1
        if self.at == 0 and not self.answered:
            raise Killed
        try:
            return super().perform_request(*args, **kwargs)
        finally:
            if self.at == 0:
                raise Killed


def mortal(url: str, at: int, answered: bool) -> Mortal:
    client = connect(url)
    client.__class__ = Mortal
    client.at, client.answered = at, answered
    return client
