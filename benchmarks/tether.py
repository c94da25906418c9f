"""Becomes another program that is told to stop when its starter dies, however that dies (Linux).

It may also open as many files as the system lets it.

Run as a file: `python tether.py STARTER_PID PROGRAM [ARGUMENT …]`.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1  # from linux/prctl.h; it survives exec

if __name__ == "__main__":
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("my starter is gone already")
    # Hundreds of streams over HTTP/1.1 are as many connections, at both ends of a relay.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    os.execv(sys.argv[2], sys.argv[2:])
