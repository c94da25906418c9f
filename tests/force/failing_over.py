"""A Cluster whose primaries die under load, with replicas that follow or that hang behind."""

from __future__ import annotations

import asyncio

from tests.force.load import Load
from tests.stores.cluster import ValkeyCluster
from tests.stores.server import ValkeyServer


async def fail_over(cluster: ValkeyCluster, primary: ValkeyServer) -> None:
    """Kills a primary, waits until its replica has its place, and starts it again as a replica of that one."""
    replica = cluster.replica_of(primary)
    primary.kill()
    await taken_over(cluster, primary, replica)


async def fail_over_behind(cluster: ValkeyCluster, primary: ValkeyServer, unsure: Load, sure: Load) -> None:
    """Lets a primary take writes that never reach its replica, and then kills it.

    `unsure` is a load that is told of such writes as kept, `sure` one that is not.
    """
    replica = cluster.replica_of(primary)
    replica.stall()
    # What is on its way to the stalled process would still reach it.
    primary.command("CLIENT", "KILL", "TYPE", "replica")
    try:
        await unsure.progress(80)
        await sure.is_kept_waiting()
    finally:
        primary.kill()
        replica.resume()
    await taken_over(cluster, primary, replica)


async def taken_over(cluster: ValkeyCluster, dead: ValkeyServer, heir: ValkeyServer) -> None:
    """Waits until a replica has its dead primary's place, and starts that one again as a replica of it."""
    await asyncio.to_thread(heir.wait_until, lambda: heir.command("ROLE")[0] == b"master", "take over", 90.0)
    await asyncio.to_thread(dead.start)
    await asyncio.to_thread(cluster.wait_whole)
