"""What a concern is: something that happens around every rpc, written once for all kinds and both sides."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from penstock.wire.call import Call

# An async context manager function: what stands before its `yield` happens before the call, and a call that failed
# raises at the `yield`.
Concern = Callable[[Call], AbstractAsyncContextManager[None]]
