"""What is told of a store as a whole, for people."""

from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from penstock.cli.amounts import for_people, local_time, seconds_between
from penstock.cli.table import table
from penstock.cli.terminal import line
from penstock.v1.run_pb2 import Durability
from penstock.v1.state_admin_pb2 import GetStoreStatsResponse

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB")


def stats_text(stats: GetStoreStatsResponse) -> str:
    """Lays out what a store holds."""
    facts = [
        ("store", line(stats.engine)),
        ("where", line(stats.place, None)),
        ("schema", f"version {stats.schema_version}"),
        ("durability", Durability.Name(stats.durability).removeprefix("DURABILITY_").lower()),
    ]
    if stats.generation:
        facts.append(("generation", str(stats.generation)))
    if stats.HasField("oldest_run_time"):
        facts.append(("oldest run", _since(stats.oldest_run_time, stats.time)))
    if stats.HasField("oldest_unfinished_run_time"):
        facts.append(("unfinished", f"the oldest {_since(stats.oldest_unfinished_run_time, stats.time)}"))
    width = max(len(name) for name, _ in facts)
    head = "\n".join(f"{name:<{width}}  {value}" for name, value in facts)
    rows = [(figure.name, _amount(figure.name, figure.count)) for figure in stats.figures]
    longest = max((len(amount) for _, amount in rows), default=0)
    return f"{head}\n\n" + table(("WHAT", f"{'HOW MUCH':>{longest}}"), [(n, f"{a:>{longest}}") for n, a in rows])


def bytes_text(count: int) -> str:
    """Writes a size with about three digits."""
    size = float(count)
    for unit in _UNITS:
        if size < 1024 or unit == _UNITS[-1]:
            break
        size /= 1024
    return f"{count} B" if unit == "B" else f"{size:.3g} {unit}" if size < 1000 else f"{size:.0f} {unit}"


def _amount(name: str, count: int) -> str:
    return bytes_text(count) if name.endswith("_bytes") else f"{count:,}"


def _since(time: Timestamp, now: Timestamp) -> str:
    return f"recorded {local_time(time)}, {for_people(max(0.0, seconds_between(time, now)))} ago"
