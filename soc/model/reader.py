"""Reader: JSON texts of events, one after the other, to flat fields."""

from __future__ import annotations

from typing import Annotated

import msgspec
import orjson

from soc.model.event import Fields, flat

# What orjson reads as a whole number: it makes others a float, and so shall they stay. (Those above 2^63 are left to it as well.)
_Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_Scalar = str | _Whole | float | bool | None
_read_flat = msgspec.json.Decoder(dict[str, _Scalar | list[_Scalar]]).decode
_REFUSED = 100  # texts that are not flat, after which ...
_REST = 1_000  # ... so many are not even asked


class Reader:
    """The same as `flat(orjson.loads(text))`. Most texts are flat: one decoder reads them and sees it, for the price of reading alone.

    Of a stream that is nested it asks few whether they are flat, as that costs something, too.
    """

    def __init__(self) -> None:
        self._refused = self._rest = 0

    def read(self, text: bytes) -> Fields:
        """Raises ValueError for what is no JSON or is nested too deeply, TypeError for what is no object."""
        if self._rest:
            self._rest -= 1
        else:
            try:
                return _read_flat(text)
            except (msgspec.DecodeError, UnicodeDecodeError):
                self._refused += 1
                if self._refused == _REFUSED:
                    self._refused, self._rest = 0, _REST
        document = orjson.loads(text)
        if not isinstance(document, dict):
            raise TypeError("it is no object")
        return flat(document)
