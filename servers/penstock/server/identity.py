"""Who this process is."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from penstock.wire.ids import random_id


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """Represents one process's life: its instance id is never used again."""

    instance_id: str
    version: str


def new_identity() -> ProcessIdentity:
    """Makes the identity of a process that starts now."""
    return ProcessIdentity(random_id("penstockd"), installed_version())


def installed_version() -> str:
    """Returns the version of the installed package; a source tree that is not installed has none."""
    try:
        return version("penstock")
    except PackageNotFoundError:
        return "0+uninstalled"
