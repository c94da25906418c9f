"""Becomes another program that is told to stop when its starter dies, however that dies (Linux).

Run as a file: `python tether.py STARTER_PID PROGRAM [ARGUMENT …]`.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # from linux/prctl.h; it survives exec

if __name__ == "__main__":
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit("my starter is gone already")
    os.execv(sys.argv[2], sys.argv[2:])
