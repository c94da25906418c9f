"""Token buckets, by their arithmetic alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.state.token_bucket import LONGEST_WAIT_US, full_after_us, grants, missing_now, wait_us

TEN_YEARS = 315_576_000.0

rates = st.floats(1e-6, 1e12)
fractions = st.floats(0, 1)


def test_a_bucket_nobody_has_used_is_full() -> None:
    """The whole burst is there at once, and not a token more."""
    assert grants(0.0, 0, rate=2, burst=10, amount=10)
    assert not grants(0.0, 0, rate=2, burst=10, amount=10.000001)


def test_a_bucket_fills_at_its_rate_and_never_over_its_burst() -> None:
    """Half a second at 2 a second is one token; a day later it is full, and no fuller."""
    assert missing_now(10, 500_000, rate=2) == 9
    assert missing_now(10, 86_400_000_000, rate=2) == 0
    assert full_after_us(10, rate=2) == 5_000_000


@given(rate=rates, filling=st.floats(1e-6, TEN_YEARS), missing=fractions, amount=fractions, elapsed=fractions)
def test_after_the_time_told_the_tokens_are_there_and_a_microsecond_before_they_are_not(
    rate: float, filling: float, missing: float, amount: float, elapsed: float
) -> None:
    """What a denied caller is told is exact, for every rate and size."""
    burst = rate * filling
    if burst > 1e12 or burst / rate > TEN_YEARS:
        return
    missing, amount = missing * burst, amount * burst
    elapsed_us = int(elapsed * filling * 1e6)
    wait = wait_us(missing, elapsed_us, rate, burst, amount)
    assert grants(missing, elapsed_us + wait, rate, burst, amount)
    if wait > 0 and not grants(missing, elapsed_us, rate, burst, amount):
        # The rounding up to a whole microsecond, and what doubles of this size can't tell apart.
        slack = 2 + int(filling * 1e6 * 2**-50)
        assert wait <= slack or not grants(missing, elapsed_us + wait - slack, rate, burst, amount)


def test_a_time_that_rounding_makes_too_short_is_corrected() -> None:
    """With these numbers the reckoned microsecond is one at which the tokens are not there yet."""
    wait = wait_us(9.5, 0, rate=0.3, burst=10.6, amount=8.9)
    assert wait == 26_000_001
    assert grants(9.5, wait, rate=0.3, burst=10.6, amount=8.9)
    assert not grants(9.5, wait - 1, rate=0.3, burst=10.6, amount=8.9)


@pytest.mark.parametrize(
    ("missing", "rate", "burst", "amount"),
    [
        (1883.533035837389, 8.232017714715702e-08, 9.442936764176702e-05, 1.5877820943924e-05),
        (1e12, 5e-324, 5e-324, 5e-324),
    ],
)
def test_what_takes_longer_than_can_be_reckoned_is_told_as_the_longest_wait(
    missing: float, rate: float, burst: float, amount: float
) -> None:
    """With these numbers a microsecond more changes nothing in a double; who goes on adding them never ends."""
    assert wait_us(missing, 0, rate, burst, amount) == LONGEST_WAIT_US


@pytest.mark.parametrize("rate", [0.1, 1 / 3, 7.0, 1e6])
def test_what_is_granted_never_outgrows_burst_and_rate(rate: float) -> None:
    """Taking as soon as it is told to be possible, for a thousand times, brings burst + rate * time and no more."""
    burst, amount = 10.0, 0.7
    missing, at_us, now_us, granted = 0.0, 0, 0, 0.0
    for _ in range(1000):
        now_us += wait_us(missing, now_us - at_us, rate, burst, amount)
        assert grants(missing, now_us - at_us, rate, burst, amount)
        missing, at_us = missing_now(missing, now_us - at_us, rate) + amount, now_us
        granted += amount
        assert granted <= burst + rate * now_us / 1e6 + 1e-6
