"""A simulated province that writes the native logs of its systems, with labelled incidents.

It knows nothing of how logs are read or judged: what it writes has to be understood by the same way as real logs.
"""

from soc.simulator.incidents import INCIDENTS, Incident, schedule
from soc.simulator.line import FILES, Line
from soc.simulator.world import Rates, World
from soc.simulator.writer import Writer, play

__all__ = ["FILES", "INCIDENTS", "Incident", "Line", "Rates", "World", "Writer", "play", "schedule"]
