"""From a URL to a store."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from penstock.state.settings import StateSettings
from penstock.state.stores import Store

_FORMS = "sqlite:///relative.db or sqlite:////absolute.db, with ?synchronous=normal or ?synchronous=full"


def open_store(settings: StateSettings) -> AbstractAsyncContextManager[Store]:
    """Returns the store that `settings.url` names, to be entered.

    Raises:
        ValueError: the URL names no store that there is, with the forms that do.
    """
    parts = urlsplit(settings.url)
    if parts.scheme == "sqlite":
        path = unquote(parts.path.removeprefix("/"))
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        synchronous = options.pop("synchronous", "normal").lower()
        if parts.netloc or not path or options or synchronous not in ("normal", "full"):
            raise ValueError(f"{settings.url!r} is not the address of a SQLite file; write {_FORMS}")
        # Here, because a process that uses another store need not have this one.
        from penstock.state.sqlite.store import open_sqlite

        return open_sqlite(Path(path), synchronous, settings)
    raise ValueError(f"{settings.url!r}: there is no store {parts.scheme!r}; write {_FORMS}")
