"""What comes for buckets that are closed: it is added to what was counted in them, and what that changes is read again."""

from detector.series.late.counted import Counted
from detector.series.late.pending import Corrected, Late

__all__ = ["Corrected", "Counted", "Late"]
