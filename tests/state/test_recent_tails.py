"""Following runs of which the newest entries are still in memory, because somebody follows them already."""

from tests.state import entries as e
from tests.state.house import House
from tests.state.tail_reader import Reader, reading

_FOLLOWER = 100


async def _followed(house: House, reader: Reader, *sizes: int) -> int:
    """Begins a run, follows it, and appends entries of so many tokens each; returns the last sequence."""
    await e.lease(house)
    await e.record(house, e.record_entry("run-1"))
    await reader.open(_FOLLOWER, "run-1")
    await reader.until(_FOLLOWER, 2)
    for size in sizes:
        await e.append_events(house, "run-1", *[e.token("x" * 1000) for _ in range(size)])
    last = 2 + sum(sizes)
    await reader.until(_FOLLOWER, last)
    return last


async def test_what_one_follows_another_gets_from_any_cursor(house: House) -> None:
    """From N come N+1 and all that follow, once each, also where N is in the middle of an entry."""
    async with reading(house) as reader:
        last = await _followed(house, reader, 1, 3, 2)
        assert reader.sequences(_FOLLOWER) == list(range(1, last + 1))
        for after in range(2, last):
            await reader.open(after, "run-1", after_sequence=after)
            await reader.until(after, last)
            assert reader.sequences(after) == list(range(after + 1, last + 1))


async def test_credit_bounds_what_comes_of_the_newest_entries(house: House) -> None:
    """Any credit: at least one event, of an entry with more. Then as many as fit, and no more."""
    async with reading(house) as reader:
        await _followed(house, reader, 10)
        await reader.open(1, "run-1", credit=1, after_sequence=2)
        await reader.next()
        assert reader.sequences(1) == [3]
        debt = reader.batches[1][-1].used_bytes - 1
        await reader.give(1, debt + 2500)
        await reader.next()
        assert reader.sequences(1) == [3, 4, 5]
        await reader.open(2, "run-1", credit=20_000, after_sequence=2)
        await reader.until(2, 12)
        assert reader.sequences(2) == list(range(3, 13))
        assert 10_000 < reader.batches[2][-1].used_bytes < 12_000
