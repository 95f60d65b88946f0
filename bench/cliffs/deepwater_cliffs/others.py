"""What others take of the machine while a round runs: processes that are not ours, and the hypervisor."""

import os
import resource
import time

from deepwater_bench.cpu import cpu_ns, machine_time, tree

# Cores. More, and the limiter may have been somebody else.
MOST = 0.15
# For a look before the first round.
LOOK_S = 2.0


class Watch:
    """Counts from its making."""

    def __init__(self, setting):
        self._source = setting.cpu_source
        self._began, self._machine, self._own = time.monotonic(), machine_time(), self._ours()

    def cores(self):
        """Taken by others since then, on average."""
        elapsed = 1e9 * (time.monotonic() - self._began)
        machine, own = machine_time(), self._ours()
        others = machine.busy - self._machine.busy - (own - self._own)
        return max(0.0, others / elapsed) + (machine.stolen - self._machine.stolen) / elapsed

    def _ours(self):
        """Processor time of this process and all that it has started, ended ones included, in nanoseconds."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return cpu_ns(tree(os.getpid()), self._source, gone=0) + round(1e9 * (ended.ru_utime + ended.ru_stime))


def now(setting):
    """Cores that others take at the moment."""
    watch = Watch(setting)
    time.sleep(LOOK_S)
    return watch.cores()
