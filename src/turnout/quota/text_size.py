"""The most UTF-8 bytes that a text has, whether or not a tokenizer normalizes it (NFKC) first. Pure.

Without normalizing it: the canonical ordering of combining marks takes time that grows with the square of their
number, and a caller may send a million. Composing never makes a text longer, so a character weighs at most what its
full decomposition does.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CODE_POINTS = 0x110000
# Nothing above has a decomposition (Unicode 16), and it would be longer than four bytes by little.
_DECOMPOSED = 0x30000


def utf8_bound(text: str) -> int:
    """The most bytes of this text as it is, or after NFKC. Linear in its length."""
    if text.isascii():
        return len(text)
    # Imported here: importing turnout is light.
    import numpy as np

    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return int(_bounds()[code_points].sum(dtype=np.int64))


@cache
def _bounds() -> NDArray[np.uint8]:
    """By code point: the larger of its own UTF-8 bytes and those of its full decomposition."""
    import numpy as np

    bounds = np.full(_CODE_POINTS, 4, dtype=np.uint8)
    bounds[:0x10000] = 3
    bounds[:0x800] = 2
    bounds[:0x80] = 1
    for code_point in range(0x80, _DECOMPOSED):
        character = chr(code_point)
        if unicodedata.decomposition(character) or unicodedata.normalize("NFKD", character) != character:
            decomposed = len(unicodedata.normalize("NFKD", character).encode("utf-8", "surrogatepass"))
            bounds[code_point] = max(decomposed, bounds[code_point])
    return bounds
