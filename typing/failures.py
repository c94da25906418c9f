"""A program that knows what can go wrong, and what each failure tells."""

import asyncio
import sys
from typing import assert_type

from penstock.client import Client, PenstockError, errors


async def what_went_wrong(client: Client, agent: str, wait: float | None = None) -> str:
    """Runs a task and says why that failed."""
    try:
        await client.execute_run("x", agent=agent, wait=wait, on_busy="reject")
    except errors.InvalidArgument as error:
        assert_type(error.violations, tuple[errors.Violation, ...])
        return "; ".join(f"{one.field} {one.description}" for one in error.violations)
    except errors.NotFound as error:
        assert_type(error.metadata, dict[str, str])
        return f"no such thing; did you mean {error.metadata.get('nearest', 'another')}?"
    except errors.DeadlineExceeded as error:
        return f"not yet; wait on with {error.metadata['idempotency_key']}"
    except errors.OverLimit as error:
        assert_type(error.subject, str)
        return f"{error.subject} has used it up"
    except errors.DataLoss as error:
        assert_type(error.last_common_sequence, int)
        return f"lost from {error.last_common_sequence + 1} on"
    except errors.Unavailable as error:
        assert_type(error.retry_after, float | None)
        return f"{error.metadata.get('address')} is away; again in {error.retry_after or 1} s"
    except PenstockError as error:
        assert_type(error.reason, str)
        return f"{error.reason}: {error.message}"
    return "nothing"


async def main(address: str) -> None:
    """Provokes some failures."""
    async with Client(address) as client:
        print(await what_went_wrong(client, "helo"))
        print(await what_went_wrong(client, "hello"))
        print(await what_went_wrong(client, "waits", wait=0.2))
    async with Client("127.0.0.1:1", patience=0) as nowhere:
        print(await what_went_wrong(nowhere, "hello"))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
