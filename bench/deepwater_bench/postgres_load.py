"""pgbench on one case: a command line in, transactions with their times out."""

import re
import signal
import subprocess
import time

from .postgres_cases import SCRIPTS
from .postgres_server import DATABASE, USER
from .process import Failure
from .tools import find

# Seconds in which all clients must be connected and a transaction must be done.
CONNECT_SECONDS = 30.0
# A load ends when it is told to; this is how long it would go on, and how long its last transactions may take.
LONGEST_SECONDS, END_SECONDS = 600, 60


class Pgbench:
    """A load in a process of its own, every transaction in its log.

    A sample would do for percentiles, but not to count what fell into the measured window, which begins after
    the connections are made. Writing a line takes pgbench under a microsecond, and as much for every pooler.
    """

    def __init__(self, setting, pooler, case):
        self.setting, self.pooler, self.case = setting, pooler, case
        self.prefix = setting.fast_directory / "pgbench"
        for old in self._logs():
            old.unlink()
        self.output = setting.directory / "pgbench.out"
        with self.output.open("wb") as stdout:
            self.driver = setting.children.start_load(self._command(), setting.all_cores, stdout, "pgbench")
        self._wait_for_answers()

    def _command(self):
        case = self.case
        options = ["-h", "127.0.0.1", "-p", self.pooler.sql_port, "-U", USER, "-n", "-b", SCRIPTS[case.script][0]]
        options += ["-M", case.mode, "-c", case.clients, "-j", case.threads]
        options += ["-T", LONGEST_SECONDS, "-P", 1, "--log", f"--log-prefix={self.prefix}"]
        if case.reconnect:
            options.append("-C")
        return [find("pgbench"), *options, DATABASE]

    def _logs(self):
        return self.prefix.parent.glob(f"{self.prefix.name}.*")

    def _wait_for_answers(self):
        """Until pgbench reports progress: it begins when all clients are connected, and speaks a second later."""
        deadline = time.monotonic() + CONNECT_SECONDS
        while not re.search(r"^progress: .* s, (?!0\.0 )", self.driver.log.read_text(errors="replace"), re.MULTILINE):
            if self.driver.process.poll() is not None:
                raise Failure(f"pgbench on {self.pooler.name}, {self.case.name}, ended early:\n{self.driver.words()}")
            if time.monotonic() > deadline:
                raise Failure(f"{self.pooler.name} answers nothing under {self.case.name}:\n{self.driver.words()}")
            time.sleep(0.01)

    def finish(self):
        """Ends the load as its own timer would: each client finishes what it is at, and the log is written."""
        self.driver.process.send_signal(signal.SIGALRM)
        try:
            self.driver.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.pooler.name} leaves transactions of {self.case.name} unanswered") from None
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
