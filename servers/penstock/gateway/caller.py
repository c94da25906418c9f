"""Who asks."""

from penstock.wire.context import current_context
from penstock.wire.errors import Unauthenticated


def current_tenant() -> str:
    """Returns the tenant on whose behalf the current call is made.

    Raises:
        Unauthenticated: nobody said who asks, so nothing may be shown.
    """
    context = current_context()
    if context is None or not context.tenant:
        raise Unauthenticated("the call names no tenant")
    return context.tenant
