"""Who is to be woken when a run's log has news."""

from collections.abc import Callable
from functools import partial

Wake = Callable[[], None]
_Name = tuple[str, str]


class Hub:
    """Gathers the runs that a transaction touched, and wakes their watchers in one pass after the commit."""

    def __init__(self) -> None:
        self._watchers: dict[_Name, dict[Wake, bool]] = {}
        self._touched: dict[_Name, bool] = {}

    def touch(self, tenant: str, run_id: str, *, lifecycle: bool) -> None:
        """Notes that a run has news; `lifecycle` when they are more than tokens and progress."""
        # Also when nobody watches yet: whoever begins to before the commit has read the log without these news.
        name = (tenant, run_id)
        self._touched[name] = self._touched.get(name, False) or lifecycle

    def publish(self) -> None:
        """Wakes the watchers of all that was touched since the last time."""
        touched, self._touched = self._touched, {}
        for name, lifecycle in touched.items():
            for wake, lifecycle_only in list(self._watchers.get(name, {}).items()):
                if lifecycle or not lifecycle_only:
                    wake()

    def watch(self, tenant: str, run_id: str, wake: Wake, *, lifecycle_only: bool) -> Wake:
        """Adds a watcher; returns what removes it again."""
        name = (tenant, run_id)
        self._watchers.setdefault(name, {})[wake] = lifecycle_only
        return partial(self._forget, name, wake)

    def _forget(self, name: _Name, wake: Wake) -> None:
        watchers = self._watchers.get(name, {})
        watchers.pop(wake, None)
        if not watchers:
            self._watchers.pop(name, None)
