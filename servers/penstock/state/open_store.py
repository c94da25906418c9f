"""From a URL to a store."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from re import fullmatch
from urllib.parse import parse_qsl, unquote, urlsplit

from penstock.state.settings import StateSettings
from penstock.state.stores import Store

_FORMS = (
    "sqlite:///relative.db or sqlite:////absolute.db, with ?synchronous=normal or ?synchronous=full; "
    "redis://host:6379/0 or rediss://host:6379/0; redis+cluster://host:6379 or rediss+cluster://host:6379"
)
# By its packages: the name penstock belongs to another project on PyPI.
_EXTRA = "'redis[hiredis]>=6,<9'"
_REDIS_SCHEMES = ("redis", "rediss", "redis+cluster", "rediss+cluster")


def open_store(settings: StateSettings) -> AbstractAsyncContextManager[Store]:
    """Returns the store that `settings.url` names, to be entered.

    Raises:
        ValueError: the URL names no store that there is, with the forms that do.
    """
    scheme, _, _ = settings.url.partition(":")
    if scheme == "sqlite":
        parts = urlsplit(settings.url)
        path = unquote(parts.path.removeprefix("/"))
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        synchronous = options.pop("synchronous", "normal").lower()
        if parts.netloc or not path or options or synchronous not in ("normal", "full"):
            raise ValueError(f"{settings.url!r} is not the address of a SQLite file; write {_FORMS}")
        # Here, because a process that uses another store need not have this one.
        from penstock.state.sqlite.store import open_sqlite

        return open_sqlite(Path(path), synchronous, settings)
    if scheme in _REDIS_SCHEMES:
        try:
            from penstock.state.redis.address import parse_address
            from penstock.state.redis.store import open_redis
        except ModuleNotFoundError as error:
            raise ValueError(
                f"a store on {scheme}:// needs {error.name}, which is not installed (the extra `redis`): "
                f"pip install {_EXTRA}"
            ) from error
        return open_redis(parse_address(settings.url), settings)
    # Whatever does not look like a scheme, like all behind it, may have a password in it.
    named = f"there is no store {scheme!r}" if fullmatch(r"[a-z][a-z0-9+.-]{1,20}", scheme) else "that names no store"
    raise ValueError(f"{named}; write {_FORMS}")
