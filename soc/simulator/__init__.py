"""A simulated province that writes the native logs of its systems, with labelled incidents.

It knows nothing of how logs are read or judged: what it writes has to be understood by the same way as real logs.
"""

from soc.simulator.episode import Incident
from soc.simulator.incidents import INCIDENTS
from soc.simulator.line import FILES, Entry, Line
from soc.simulator.plan import KINDS, Planned, draw, read_plan, schedule
from soc.simulator.world import Rates, World
from soc.simulator.writer import Writer, play

__all__ = [
    "FILES",
    "INCIDENTS",
    "KINDS",
    "Entry",
    "Incident",
    "Line",
    "Planned",
    "Rates",
    "World",
    "Writer",
    "draw",
    "play",
    "read_plan",
    "schedule",
]
