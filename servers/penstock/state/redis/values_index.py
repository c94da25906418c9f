"""The list of values."""

from penstock.state.redis.link import Link
from penstock.state.redis.name_index import LOOK_AFTER_US, NameIndex
from penstock.state.redis.values_scripts import READ


class ValueIndex(NameIndex):
    """Lists values."""

    def __init__(self, link: Link) -> None:
        super().__init__(link, "values")

    def value_keys(self, tenant: str, name: bytes) -> tuple[bytes, bytes]:
        """Names the head and the body of a value."""
        tag = self._link.keys.tag("v", tenant, name)
        return tag.key("head"), tag.key("body")

    async def sweep_values(self) -> bool:
        """Takes out a bounded number of names that have no value; True: there are more."""
        return await self.sweep(self._look_at)

    async def _look_at(self, tenant: str, name: bytes) -> int | None:
        value = (await self._link.run(READ, self.value_keys(tenant, name), (0,))).value
        if value is None:
            return None
        return int(value[3]) + LOOK_AFTER_US if value[3] else 0
