"""What time asks of topics on Redis: old events go, and what nobody uses any more."""

from typing import Final

from penstock.state.redis.link import Link
from penstock.state.redis.name_index import LOOK_AFTER_US, NameIndex
from penstock.state.redis.topics_groups import FORGET_GROUP
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.redis.topics_scripts import FORGET, LOOK, TRIM_OLD
from penstock.state.topic_store import GRACE_US, GROUP_IDLE_US, OWN_GROUP_PREFIX, REPLY_PREFIX

# A topic that is forgotten begins at position 1 again, so that none is while anybody may still remember a position.
_SHORTEST_MEMORY_US: Final = 86400 * 1_000_000


class TopicSweep:
    """Looks at each topic once a minute: trims it, forgets groups that nobody belongs to, and topics that nobody uses.

    Between two looks a publish trims what is old, too.
    """

    def __init__(self, link: Link, index: NameIndex, retention: float) -> None:
        self._link = link
        self._index = index
        self._retention_us = int(retention * 1_000_000)

    async def sweep(self) -> bool:
        """Looks at a bounded number of topics whose time has come; True: there are more."""
        return await self._index.sweep(self._look_at)

    async def _look_at(self, tenant: str, name: bytes) -> int | None:
        """Sweeps one topic; returns when it is to be looked at again, None when it is not there any more."""
        topic = name.decode()
        keys = TopicKeys(self._link.keys, tenant, topic)
        looked = await self._link.run(LOOK, (keys.topic, keys.events, keys.groups))
        there, now_us, unused_us, age_us, groups = looked.value
        if not there:
            return None
        kept = False
        for group in groups:
            grace_us = GRACE_US if group.decode().startswith(OWN_GROUP_PREFIX) else GROUP_IDLE_US
            reply = await self._link.run(FORGET_GROUP, (*keys.group(group), keys.groups), (group, grace_us))
            kept = kept or bool(reply.value)
        more = 0
        if self._retention_us and age_us and int(age_us) >= self._retention_us:
            more = (await self._link.run(TRIM_OLD, (keys.topic, keys.events, keys.ids), (self._retention_us,))).value
        is_reply = topic.startswith(REPLY_PREFIX)
        memory_us = GRACE_US if is_reply else max(self._retention_us, _SHORTEST_MEMORY_US)
        if not kept and int(unused_us) >= memory_us:
            forgotten = await self._link.run(
                FORGET, (keys.topic, keys.events, keys.ids, keys.groups), (memory_us, int(is_reply))
            )
            if forgotten.value:
                return None
        # By the server's own clock, which also says when that time has come; ours may be ahead of it.
        return int(now_us) + (0 if more else LOOK_AFTER_US)
