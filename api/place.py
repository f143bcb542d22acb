"""Where senders reach the collector."""

from __future__ import annotations

from dataclasses import replace

from fastapi import Request

from collector.snippets import HOST, Place
from soc.origin import is_loopback


def place_for(request: Request, place: Place) -> Place:
    """The host by which the caller reaches us, as the collector is mostly beside us; the placeholder stays for one that is odd."""
    host = request.url.hostname or ""
    return replace(place, host=host) if HOST.fullmatch(host) and not is_loopback(host) else place
