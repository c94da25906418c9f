"""What the store asks a server to be allowed to do is what it does."""

import re
from pathlib import Path

import penstock.state.redis.rights
from penstock.state.redis.rights import NEEDED

# What connections say before they know the server, or only to a Cluster, or where a refusal is no harm.
APART = {"AUTH", "SELECT", "INFO", "CONFIG", "CLUSTER", "ASKING", "EVAL", "MEMORY"}
IN_LUA = re.compile(r"redis\.p?call\('([A-Za-z]+)'")
IN_PYTHON = re.compile(r"""(?:\.(?:call|ask|say)\(\s*|\(|\[|\.know\(.*, )b?"([A-Z]{3,})",""")
NO_COMMANDS = {"LIMIT", "COUNT", "WITHSCORES"}


def test_every_command_in_the_code_is_asked_for_and_no_other() -> None:
    """Else a user with too few rights is found out in operation, or one with enough is refused."""
    folder = Path(penstock.state.redis.rights.__file__).parent
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.py")) if path.name != "faults.py")
    used = {name.upper() for name in IN_LUA.findall(text)} | set(IN_PYTHON.findall(text))
    asked = {line.split()[0] for line in NEEDED.split(";")}
    assert used - asked - APART - NO_COMMANDS == set()
    assert asked - used - {"PING"} == set()
