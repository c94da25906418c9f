"""A script that never awaits anything."""

import sys
from typing import assert_type

import penstock.client
from penstock.client import Run

done = penstock.client.run("one two three", agent="hello", address=sys.argv[1], wait=30)
assert_type(done, Run)
print(penstock.client.text_of(done))
