"""How long to wait before another try."""

import random
from collections.abc import Callable
from typing import Final

FIRST: Final = 0.1
"""Seconds; the longest wait before a first repeat."""

MOST: Final = 5.0
"""Seconds; the longest wait before any repeat that nobody asked to come later."""


def full_jitter(doublings: int, draw: Callable[[], float] = random.random) -> float:
    """Returns the seconds to wait: at random between none and FIRST, doubled so many times but never above MOST.

    This is "full jitter" from Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: of the ways
    to spread clients that lost the same server at the same moment, it costs that server the least. `draw` gives
    numbers from 0 to 1.
    """
    # Beyond 16 doublings it is MOST anyway, and a power of a huge number would be no float any more.
    return draw() * min(MOST, FIRST * 2.0 ** min(doublings, 16))
