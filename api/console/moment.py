"""Times as forms send them."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from api.errors import Refused


def moment(text: str, zone: tzinfo) -> int:
    """What `<input type=datetime-local>` sends, read in the people's zone, in ms. Raises `Refused`."""
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=zone)).timestamp() * 1000)
    except (ValueError, OverflowError):
        said = f"{text} is not a time" if text else "the time is missing"
        raise Refused(f"{said}: write it as 2026-03-02T09:00") from None


def next_morning(now: int, zone: tzinfo) -> str:
    """Eight o'clock tomorrow, as `<input type=datetime-local>` takes it: till when most things are put off (`now`: ms)."""
    tomorrow = datetime.fromtimestamp(now / 1000, zone) + timedelta(days=1)
    return tomorrow.strftime("%Y-%m-%dT08:00")
