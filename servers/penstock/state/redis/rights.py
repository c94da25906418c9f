"""Whether a server runs scripts for us, and lets us do all that these do."""

from collections.abc import Sequence
from typing import Final

from hiredis import ReplyError

from penstock.state.redis.address import Endpoint, RedisAddress
from penstock.state.redis.dial import RIGHTS, NotConnected
from penstock.state.redis.keys import Keys
from penstock.state.redis.pipe import Pipe

NEEDED: Final = """
DECRBY % 1; DEL %; EVALSHA x 0; EXISTS %; GET %; HDEL % f; HGET % f; HGETALL %; HKEYS %; HLEN %; HMGET % f; HSET % f v;
HSETNX % f v; HSTRLEN % f; HVALS %; INCRBY % 1; PERSIST %; PEXPIRE % 1; PEXPIREAT % 1; PEXPIRETIME %; PING; RENAME % %;
SADD % m; SCAN 0; SCARD %; SET % v; SMEMBERS %; SPUBLISH % v; SREM % m; SSUBSCRIBE %; TIME; UNLINK %; WAIT 0 0;
XADD % 1-1 f v; XLEN %; XRANGE % - +; XREVRANGE % + -; XTRIM % MAXLEN 1; ZADD % 1 m; ZCARD %; ZCOUNT % 0 1; ZPOPMIN %;
ZRANGE % 0 1; ZRANGEBYLEX % - +; ZRANGEBYSCORE % 0 1; ZREM % m; ZREMRANGEBYSCORE % 0 1; ZREVRANGEBYSCORE % 1 0;
ZSCAN % 0; ZSCORE % m
"""
"""Every command that the store uses, with words that it would take; `%` stands for a key of ours."""

# That so many commands are refused, each of other kinds, must lie in the names of the keys.
_MANY: Final = 20

_PROBE: Final = """#!lua flags=no-writes
local denied = {}
for number = 2, #ARGV do
  local words = {}
  for word in string.gmatch(ARGV[number], '%S+') do
    if word == '%' then word = ARGV[1] end
    words[#words + 1] = word
  end
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
  if not (known and allowed) then denied[#denied + 1] = words[1] end
end
return denied
"""


async def check_rights(address: RedisAddress, pipe: Pipe, endpoint: Endpoint) -> None:
    """Raises NotConnected when scripts are disabled, or the user may not do what they do."""
    key = Keys(address.namespace).plain("probe")
    try:
        denied: Sequence[bytes] = await pipe.ask("EVAL", _PROBE, 0, key, *NEEDED.split(";"))
    except ReplyError as error:
        text = str(error)
        raise NotConnected(
            f"{endpoint} does not run scripts ({text}); "
            "undo a rename-command of EVAL, and let the user run +@scripting by ACL SETUSER"
        ) from error
    if len(denied) > _MANY:
        raise NotConnected(_by_acl(address, endpoint, "keys that begin with penstock:"))
    if denied:
        raise NotConnected(_by_acl(address, endpoint, ", ".join(word.decode() for word in denied)))


def _by_acl(address: RedisAddress, endpoint: Endpoint, what: str) -> str:
    return (
        f"{endpoint} does not let {address.user or 'the default user'} use {what}; "
        f"allow it by ACL SETUSER {address.user or 'default'} {RIGHTS}"
    )
