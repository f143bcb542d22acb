"""What is kept of the events of one series in one bucket. A cell is small, and goes to bytes and back without loss.

Quantiles are t-digests (`values.py`) and distinct values HyperLogLogs of Apache DataSketches.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from datasketches import hll_sketch, hll_union, tgt_hll_type

from detector.score import Kind
from detector.series.definition import Definition, Measure
from detector.series.values import Values
from soc.model.event import Fields
from soc.query.evaluate import predicate
from soc.query.parse import parse

_FEWEST = 10  # values that a quantile is taken of, and as many as it takes for one of them to be beyond it
_LEAST_MEANT = 1e-9  # of what a geometric mean is taken: what is less is as good as 0
_LOG_STEPS = 2.0**20  # logarithms are taken to a millionth, so that their sum is the same in whatever order they come
_MOST_VALUES = 2_000  # of a bucket, that are known again
_HLL_K = 10  # 1,024 registers: 3 % off
Reading = tuple[float | None, float]  # value (None: unknown), weight


class Meter(Protocol):
    """How one measure is taken. `carries`: what was too little to say anything is joined with what comes in the next buckets."""

    kind: Kind
    carries: bool
    zero: Reading  # of a bucket without an event, while the source speaks

    def new(self) -> Any: ...

    def add(self, cell: Any, fields: Fields) -> None: ...

    def value(self, cell: Any) -> Reading: ...

    def join(self, older: Any, cell: Any) -> Any:
        """What both would be together; they are used up."""
        ...

    def dump(self, cell: Any) -> Any: ...

    def load(self, data: Any) -> Any: ...


class _Counted:
    """Cells are `[hits, events]`."""

    carries = False

    def join(self, older: list[int], cell: list[int]) -> list[int]:
        return [older[0] + cell[0], older[1] + cell[1]]

    def new(self) -> list[int]:
        return [0, 0]

    def dump(self, cell: list[int]) -> list[int]:
        return cell

    def load(self, data: list[int]) -> list[int]:
        return list(data)


class Count(_Counted):
    kind = Kind.COUNT
    zero: Reading = (0.0, 0.0)

    def add(self, cell: list[int], fields: Fields) -> None:  # noqa: ARG002
        cell[1] += 1

    def value(self, cell: list[int]) -> Reading:
        return float(cell[1]), float(cell[1])


class Ratio(_Counted):
    kind = Kind.RATIO
    zero: Reading = (None, 0.0)

    def __init__(self, hit: Callable[[Fields], bool]) -> None:
        self._hit = hit

    def add(self, cell: list[int], fields: Fields) -> None:
        cell[1] += 1
        if self._hit(fields):
            cell[0] += 1

    def value(self, cell: list[int]) -> Reading:
        hits, events = cell
        return (hits / events if events else None), float(events)


class Conversion(Ratio):
    """`where` is evaluated here, too: an event may be of either step. More may come out of a step than go in, from the bucket before."""

    def __init__(self, where: Callable[[Fields], bool], hit: Callable[[Fields], bool]) -> None:
        super().__init__(hit)
        self._where = where

    def add(self, cell: list[int], fields: Fields) -> None:
        if self._where(fields):
            cell[1] += 1
        elif self._hit(fields):
            cell[0] += 1

    def value(self, cell: list[int]) -> Reading:
        hits, events = cell
        return (hits / events if events else None), float(events)


class Quantile:
    kind = Kind.LATENCY
    carries = True
    zero: Reading = (None, 0.0)

    def __init__(self, field: str, quantile: float, scale: float = 1.0) -> None:
        self._field, self._quantile, self._scale = field, quantile, scale
        self._fewest = max(_FEWEST, math.ceil(1 / (1 - quantile)))

    def new(self) -> Values:
        return Values()

    def add(self, cell: Values, fields: Fields) -> None:
        value = fields.get(self._field)
        if isinstance(value, int | float) and -1e300 < value < 1e300:
            cell.add(value * self._scale)

    def value(self, cell: Values) -> Reading:
        weight = cell.weight
        return (cell.quantile(self._quantile) if weight >= self._fewest else None), weight

    def join(self, older: Values, cell: Values) -> Values:
        older.take(cell)
        return older

    def dump(self, cell: Values) -> list[Any]:
        return cell.dump()

    def load(self, data: list[Any]) -> Values:
        return Values.load(data)


class Mean:
    """The geometric mean of values above 0. Cells are `[sum of logarithms, values]`."""

    kind = Kind.LATENCY
    carries = False
    zero: Reading = (None, 0.0)

    def __init__(self, field: str, scale: float = 1.0) -> None:
        self._field, self._scale = field, scale

    def new(self) -> list[float]:
        return [0.0, 0.0]

    def add(self, cell: list[float], fields: Fields) -> None:
        value = fields.get(self._field)
        if isinstance(value, int | float) and _LEAST_MEANT <= (scaled := value * self._scale) < 1e300:
            cell[0] += round(math.log(scaled) * _LOG_STEPS) / _LOG_STEPS
            cell[1] += 1.0

    def value(self, cell: list[float]) -> Reading:
        logarithms, values = cell
        return (math.exp(logarithms / values) if values else None), values

    def join(self, older: list[float], cell: list[float]) -> list[float]:
        return [older[0] + cell[0], older[1] + cell[1]]

    def dump(self, cell: list[float]) -> list[float]:
        return cell

    def load(self, data: list[float]) -> list[float]:
        return list(data)


class Distinct:
    kind = Kind.COUNT
    carries = False
    zero: Reading = (0.0, 0.0)

    def __init__(self, field: str) -> None:
        self._field = field

    def new(self) -> hll_sketch:
        return hll_sketch(_HLL_K)

    def add(self, cell: hll_sketch, fields: Fields) -> None:
        value = fields.get(self._field)
        if value is not None:
            cell.update(value if isinstance(value, str) else str(value))

    def value(self, cell: hll_sketch) -> Reading:
        seen = float(round(cell.get_estimate()))
        return seen, seen

    def join(self, older: hll_sketch, cell: hll_sketch) -> hll_sketch:
        both = hll_union(_HLL_K)
        both.update(older)
        both.update(cell)
        return both.get_result(tgt_hll_type.HLL_8)

    def dump(self, cell: hll_sketch) -> bytes:
        return bytes(cell.serialize_updatable())

    def load(self, data: bytes) -> hll_sketch:
        return hll_sketch.deserialize(data)


class Repeats:
    """Cells are `[repeats, events, values]`; the values as hashes, of which one in 2^64 is taken for another."""

    kind = Kind.RATIO
    carries = False
    zero: Reading = (None, 0.0)

    def __init__(self, field: str) -> None:
        self._field = field

    def new(self) -> list[Any]:
        return [0, 0, set()]

    def add(self, cell: list[Any], fields: Fields) -> None:
        value = fields.get(self._field)
        if value is None or value == "":
            return
        known, digest = cell[2], hashlib.blake2b(str(value).encode(errors="surrogatepass"), digest_size=8).digest()
        if digest in known:
            cell[0] += 1
        elif len(known) < _MOST_VALUES:
            known.add(digest)
        else:
            return  # whether it comes again could not be told
        cell[1] += 1

    def value(self, cell: list[Any]) -> Reading:
        repeats, events, _ = cell
        return (repeats / events if events else None), float(events)

    def join(self, older: list[Any], cell: list[Any]) -> list[Any]:
        repeats, events, known = older[0] + cell[0], older[1] + cell[1], older[2]
        for digest in sorted(cell[2]):
            if digest in known:
                repeats += 1
            elif len(known) < _MOST_VALUES:
                known.add(digest)
            else:
                events -= 1
        return [repeats, events, known]

    def dump(self, cell: list[Any]) -> list[Any]:
        return [cell[0], cell[1], b"".join(sorted(cell[2]))]

    def load(self, data: list[Any]) -> list[Any]:
        return [data[0], data[1], {data[2][at : at + 8] for at in range(0, len(data[2]), 8)}]


def events_of(meter: Meter, cells: Iterable[Any]) -> int:
    """About how many events, or values, are in them."""
    return sum(round(meter.value(cell)[1]) for cell in cells)


def meter_of(definition: Definition) -> Meter:
    hit = predicate(parse(definition.hit or ""))
    match definition.measure:
        case Measure.COUNT:
            return Count()
        case Measure.RATIO:
            return Ratio(hit)
        case Measure.CONVERSION:
            return Conversion(predicate(parse(definition.where)), hit)
        case Measure.QUANTILE:
            return Quantile(definition.field or "", definition.quantile, definition.scale)
        case Measure.MEAN:
            return Mean(definition.field or "", definition.scale)
        case Measure.REPEATS:
            return Repeats(definition.field or "")
        case Measure.DISTINCT:
            return Distinct(definition.field or "")
