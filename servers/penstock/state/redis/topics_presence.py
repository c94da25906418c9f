"""Signs of life: the other processes are shown that the streams of this one live, also while nobody reads from them."""

import asyncio
import logging
from typing import Final

from penstock.state.redis.link import Link
from penstock.state.redis.topics_groups import SEEN
from penstock.state.redis.topics_keys import TopicKeys
from penstock.state.redis.topics_streams import Streams

_LOGGER = logging.getLogger(__name__)

# Three of them fit into the silence after which a stream is taken for dead.
_EVERY_S: Final = 10.0
_AT_ONCE: Final = 100


async def show_life(link: Link, streams: Streams) -> None:
    """Shows it again and again, until cancelled; where that fails, others may take over what the streams had."""
    while True:
        await asyncio.sleep(_EVERY_S)
        members = streams.members
        for begin in range(0, len(members), _AT_ONCE):
            signs = [
                link.run(SEEN, TopicKeys(link.keys, member.tenant, member.topic).group(member.group), (member.stream,))
                for member in members[begin : begin + _AT_ONCE]
            ]
            failures = [
                sign for sign in await asyncio.gather(*signs, return_exceptions=True) if isinstance(sign, Exception)
            ]
            if failures:
                _LOGGER.warning("could not show that %d streams of topics live: %s", len(failures), failures[0])
