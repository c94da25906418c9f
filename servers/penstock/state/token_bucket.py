"""Token buckets, reckoned the same on every store: in doubles for tokens, and whole microseconds for times.

Source: the leaky bucket as a meter (ITU-T I.371, appendix on GCRA), counting what is missing, so that a bucket nobody
has used is zero and a changed burst takes effect at once. A bucket fills within ten years, so that all times are exact
in a double.
"""

import math
from typing import Final

LONGEST_WAIT_US: Final = 631_152_000 * 1_000_000
"""Microseconds of the longest wait that is told, twenty years. A bucket that was emptied under a much larger burst may
take longer than any time can be reckoned exactly."""


def missing_now(missing: float, elapsed_us: int, rate: float) -> float:
    """Returns how many tokens a bucket misses, `elapsed_us` after it missed `missing`."""
    return max(0.0, missing - rate * elapsed_us / 1e6)


def grants(missing: float, elapsed_us: int, rate: float, burst: float, amount: float) -> bool:
    """Tells whether a bucket has `amount` tokens, `elapsed_us` after it missed `missing`."""
    return missing_now(missing, elapsed_us, rate) + amount <= burst


def wait_us(missing: float, elapsed_us: int, rate: float, burst: float, amount: float) -> int:
    """Returns the microseconds after which a bucket has `amount` tokens, which must not be more than the burst.

    At most LONGEST_WAIT_US.
    """
    wait = (missing + amount - burst) / rate * 1e6
    if wait > LONGEST_WAIT_US:
        return LONGEST_WAIT_US
    until = math.ceil(wait)
    # By rounding, the reckoned time may be a little short; what is promised must be granted.
    while not grants(missing, until, rate, burst, amount):
        until += 1
    return max(0, until - elapsed_us)


def full_after_us(missing: float, rate: float) -> int:
    """Returns the microseconds after which a bucket is full, and need not be kept."""
    return math.ceil(missing / rate * 1e6)
