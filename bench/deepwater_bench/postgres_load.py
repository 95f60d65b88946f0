"""pgbench on one case: a command line in, transactions with their times out."""

import math
import re
import time

from .postgres_cases import SCRIPTS
from .postgres_server import DATABASE, USER
from .process import Failure
from .tools import find

# Seconds in which all clients must be connected and have had some answers.
CONNECT_SECONDS = 30.0
# pgbench ends on a whole second: it must not end inside the measured window.
MARGIN_SECONDS = 0.2


class Pgbench:
    """A load in a process of its own, every transaction in its log.

    A sample would do for percentiles, but not to count what fell into the measured window, which begins after
    the connections are made. Writing a line takes pgbench under a microsecond, and as much for every pooler.
    """

    def __init__(self, setting, pooler, case, seconds):
        self.setting, self.pooler, self.case = setting, pooler, case
        self.prefix = setting.fast_directory / "pgbench"
        for old in self._logs():
            old.unlink()
        self.output = setting.directory / "pgbench.out"
        with self.output.open("wb") as stdout:
            self.driver = setting.children.start_load(self._command(seconds), setting.all_cores, stdout, "pgbench")
        self._wait_for_answers()

    def _command(self, seconds):
        case = self.case
        options = ["-h", "127.0.0.1", "-p", self.pooler.sql_port, "-U", USER, "-n", "-b", SCRIPTS[case.script][0]]
        options += ["-M", case.mode, "-c", case.clients, "-j", min(case.clients, 2)]
        options += ["-T", math.ceil(seconds + MARGIN_SECONDS), "--log", f"--log-prefix={self.prefix}"]
        if case.reconnect:
            options.append("-C")
        return [find("pgbench"), *options, DATABASE]

    def _logs(self):
        return self.prefix.parent.glob(f"{self.prefix.name}.*")

    def _wait_for_answers(self):
        """Until the first lines of the log are written: pgbench begins when all its clients are connected."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while not any(log.stat().st_size for log in self._logs()):
            if self.driver.process.poll() is not None:
                raise Failure(f"pgbench on {self.pooler.name}, {self.case.name}, ended early:\n{self.driver.words()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.pooler.name} answers nothing under {self.case.name}:\n{self.driver.words()}")
            time.sleep(0.01)

    def finish(self):
        """Waits for the end of the load."""
        self.driver.process.wait(120)
        self.setting.children.stop(self.driver)
        child = self.pooler.child
        if child.process.poll() is not None:
            raise Failure(f"{self.pooler.name} ended under {self.case.name}:\n{child.words()}")

    def transactions(self, begin, end):
        """Microseconds of each transaction that ended between two points of wall-clock time, in order of size."""
        times = []
        for log in self._logs():
            for line in log.open():
                _client, _number, took, _script, second, microsecond, *_ = line.split()
                if took.isdigit() and begin <= int(second) + int(microsecond) / 1e6 < end:
                    times.append(int(took))
        return sorted(times)

    def errors(self):
        """Clients that gave up and transactions that failed, in the whole load."""
        failed = re.search(r"number of failed transactions: (\d+)", self.output.read_text())
        aborted = self.driver.log.read_text(errors="replace").count(" aborted")
        return max(aborted + int(failed[1]) if failed else aborted, int(self.driver.process.returncode != 0))
