"""Runs a program under cProfile, on the CPU time of its main thread: cProfile's own command would count waiting too.

`python traced.py OUTPUT PROGRAM [ARGUMENT …]` or `python traced.py OUTPUT -m MODULE [ARGUMENT …]`.
"""

import cProfile
import runpy
import sys
import time

if __name__ == "__main__":
    output, program = sys.argv[1], sys.argv[2:]
    profile = cProfile.Profile(time.thread_time)
    try:
        if program[0] == "-m":
            sys.argv = program[1:]
            profile.runcall(runpy.run_module, program[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = program
            profile.runcall(runpy.run_path, program[0], run_name="__main__")
    finally:
        profile.dump_stats(output)
