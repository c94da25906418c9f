"""Where topics lie."""

from penstock.state.redis.keys import Keys, Tag


class TopicKeys:
    """Names the keys of one topic, which lie in one slot."""

    __slots__ = ("_tag", "events", "groups", "ids", "topic")

    def __init__(self, keys: Keys, tenant: str, topic: str) -> None:
        self._tag: Tag = keys.tag("t", tenant, topic)
        self.topic = self._tag.key("topic")
        self.events = self._tag.key("events")
        self.ids = self._tag.key("ids")
        self.groups = self._tag.key("groups")

    def group(self, name: str | bytes) -> tuple[bytes, bytes]:
        """Names the two keys of a group."""
        return self._tag.key("group", name), self._tag.key("due", name)
