"""How hard a property is tried: a share of its examples with each change, all of them in `make test`."""

from __future__ import annotations

import os

from hypothesis import settings

# Both take as long as they need, also on a busy machine; where a chance failure would stop everything, they try the same each time.
for name, percent in (("check", 15), ("thorough", 100)):
    settings.register_profile(
        name, max_examples=percent, deadline=None, derandomize="CI" in os.environ, print_blob=True
    )


def examples(whole: int) -> int:
    """The share of so many examples that the profile asks for; a property that says no number has 100."""
    return max(whole * settings().max_examples // 100, 3)
