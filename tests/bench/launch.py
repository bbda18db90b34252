"""launch.py — runs a command; prints its seconds from start to end and its peak of resident bytes. A process of its own
because a child's peak counts what its parent held when it started it."""
import os
import subprocess
import sys
import time

start = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - start, 1024 * usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
