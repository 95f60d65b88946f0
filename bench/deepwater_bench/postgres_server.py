"""The PostgreSQL behind the poolers: made, filled and ended by the run, under a user that is not root."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from .peers import fill, version_of
from .postgres_cases import SERVER_CONNECTIONS
from .process import STOP_SECONDS, Failure, dies_with_us, wait_for_port
from .tools import find

DATABASE = USER = "bench"
# pgbench's unit: 100,000 accounts each.
SCALE = 10
START_SECONDS = 30.0
# As root, PostgreSQL and PgBouncer run under the first of these that there is.
UNPRIVILEGED = ("postgres", "nobody")


def unprivileged():
    """Options of `subprocess.Popen` for programs that refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise Failure(f"PostgreSQL refuses to run as root, and there is no user {' or '.join(UNPRIVILEGED)}")


class Server:
    """A cluster of its own, in memory where there is room, on loopback and on a Unix socket."""

    name = "postgres"

    def __init__(self, setting):
        self.children = setting.children
        self.port = setting.ports.take()
        # The run's own directories are root's alone.
        self.directory = Path(tempfile.mkdtemp(prefix="postgres-", dir=setting.fast_directory))
        self._as_user = unprivileged()
        if self._as_user:
            setting.fast_directory.chmod(0o711)
            os.chown(self.directory, self._as_user["user"], self._as_user["group"])
        data = self.directory / "data"
        self._run("initdb", "-D", data, "-U", USER, "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C")
        values = {"SERVER": self.port, "DIR": self.directory, "CONNECTIONS": SERVER_CONNECTIONS}
        config = self.write("postgresql.conf", fill("postgres/postgresql.conf", values))
        command = [find("postgres"), "-D", data, "-c", f"config_file={config}"]
        self.child = setting.children.start(
            # SIGINT: it does not wait for its clients to leave.
            self.name, command, setting.all_cores, dies_with_us(signal.SIGINT), cwd=self.directory, **self._as_user
        )
        self._wait_until_ready()
        self._run("createdb", *self._here, DATABASE)
        self._run("pgbench", *self._here, "-i", "-q", "-s", SCALE, DATABASE)

    def _wait_until_ready(self):
        """It listens before it lets anybody in."""
        wait_for_port(self.child, self.port)
        deadline = time.monotonic() + START_SECONDS
        ready = [find("pg_isready"), "-q", *map(str, self._here), "-d", DATABASE]
        while subprocess.run(ready, stdin=subprocess.DEVNULL).returncode != 0:
            if time.monotonic() > deadline:
                raise Failure(f"PostgreSQL does not start:\n{self.child.words()}")
            time.sleep(0.02)

    def write(self, name, text):
        """A file that the server's user may read."""
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o644)
        return path

    def version(self):
        return version_of([find("postgres"), "--version"])

    def sql(self, *commands):
        """What psql prints for these commands, sent over the Unix socket, each in a transaction of its own."""
        options = [word for command in commands for word in ("-c", command)]
        return self._run("psql", *self._here, "-X", "-q", "-A", "-t", *options, DATABASE)

    def stop(self):
        """A fast shutdown: clients are disconnected, everything is written and closed."""
        if self.child.process.poll() is None:
            self.child.process.send_signal(signal.SIGINT)
            try:
                self.child.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                pass
        self.children.stop(self.child)
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _here(self):
        return "-h", self.directory, "-p", self.port, "-U", USER

    def _run(self, program, *arguments):
        command = [find(program), *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, cwd=self.directory, **self._as_user
        )
        if done.returncode != 0:
            raise Failure(f"{program} failed:\n{done.stderr}")
        return done.stdout
