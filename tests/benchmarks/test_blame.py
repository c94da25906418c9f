"""What the benchmark says of where the time went."""

import asyncio

import pytest

from benchmarks.blame import blame
from benchmarks.process import ProcessFailed


async def test_each_process_is_told_with_the_modules_that_took_its_time() -> None:
    """With whichever profiler there is, every hop of the chain spent a share of its time in the loop; all lines fit."""
    async with asyncio.timeout(120):
        text = await blame("chain", "alone", 80)
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    for process in ("grpc-executor", "grpc-orchestrator", "grpc-gateway"):
        begin = next(number for number, line in enumerate(lines) if line.startswith(f"{process}, "))
        shares = lines[begin + 1 :]
        shares = shares[: shares.index("")] if "" in shares else shares
        percents = [float(line.split()[0]) for line in shares]
        assert percents == sorted(percents, reverse=True)
        assert 50 < sum(percents) < 101
        assert any(line.split()[2] == "asyncio" for line in shares)


async def test_what_can_not_be_profiled_is_refused_with_what_can() -> None:
    """Idle streams take memory, not time."""
    with pytest.raises(ProcessFailed, match="choose one of unary, alone"):
        await blame("chain", "held", 80)
