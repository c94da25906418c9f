"""What holds for all tests."""

import signal


def pytest_configure() -> None:
    """Lets Ctrl-C reach the processes that tests start, also where the tests run in a shell's background.

    A shell starts background jobs with SIGINT ignored, and whoever ignores a signal hands that on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
