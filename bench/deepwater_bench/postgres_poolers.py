"""The poolers behind one face, and PostgreSQL itself in that role."""

import os
from dataclasses import dataclass

from .peers import Peer, fill, version_of
from .postgres_cases import POOL_SIZE, SERVER_CONNECTIONS
from .postgres_server import USER, Server, unprivileged
from .process import Failure, wait_for_port
from .tools import rust_program

# The first PgBouncer that keeps prepared statements apart in transaction mode.
PREPARED_SINCE = (1, 21)
PREPARED_STATEMENTS = 200


@dataclass
class Pooler(Peer):
    """One pooler in front of `server`; `mode` holds from its next start."""

    server: Server | None = None
    mode: str = "transaction"
    listens = ("SQL",)

    def start(self, setting, wrapper=()):
        """Starts on free ports; returns once it listens."""
        if not self.ports:
            self.ports = {name: setting.ports.take() for name in ("SQL", "CONSOLE")}
        users = self.server.write("users.txt", f'"{USER}" ""\n')
        values = self.ports | {"SERVER": self.server.port, "USERS": users, "MODE": self.mode, "POOL_SIZE": POOL_SIZE}
        config = self.server.write(os.path.basename(self.template), fill(self.template, values | self.values()))
        command = [*wrapper, *self.command(config)]
        options = self.run_as() | {"cwd": self.server.directory}
        self.child = setting.children.start(self.name, command, setting.all_cores, **options)
        for name in self.listens:
            wait_for_port(self.child, self.ports[name])

    def mode_for(self, case):
        """The pool mode in which it can run `case`, or None."""
        return "transaction"

    @property
    def sql_port(self):
        return self.ports["SQL"]


class PgBouncer(Pooler):
    def command(self, config):
        return [self.program, config]

    def run_as(self):
        # It refuses root.
        return unprivileged()

    def values(self):
        return {"PREPARED": f"max_prepared_statements = {PREPARED_STATEMENTS}" if self._keeps_prepared() else ""}

    def mode_for(self, case):
        if case.mode != "prepared" or self._keeps_prepared():
            return "transaction"
        # In session mode each client holds a server connection.
        return "session" if case.clients <= POOL_SIZE else None

    def _keeps_prepared(self):
        return tuple(map(int, self.version().split(".")[:2])) >= PREPARED_SINCE


class Deepwater(Pooler):
    def command(self, config):
        return [self.program, "run", "-c", config]

    def values(self):
        return {"AUTO_PREPARE": "false"}


class AutoPreparing(Deepwater):
    """Deepwater with `auto_prepare`, where that makes a difference: statements without a name that come again and again."""

    def __init__(self, other):
        super().__init__("auto_prepare", other.program, other.template, server=other.server)

    def values(self):
        return {"AUTO_PREPARE": "true"}

    def mode_for(self, case):
        return "transaction" if case.mode == "extended" else None


class Relay(Pooler):
    """Passes bytes and does nothing else (bench/relay.rs): the least that any pooler can take."""

    def __init__(self, server):
        super().__init__("relay", "", "", server=server)

    def start(self, setting, wrapper=()):
        self.ports = self.ports or {"SQL": setting.ports.take()}
        command = [*wrapper, rust_program(setting.directory, self.name), self.sql_port, self.server.port]
        self.child = setting.children.start(self.name, list(map(str, command)), setting.all_cores)
        wait_for_port(self.child, self.sql_port)

    def mode_for(self, case):
        # Each client holds a server connection: it is no measure of more of them than poolers have, nor of logins.
        return "session" if case.clients <= POOL_SIZE and not case.reconnect else None


class Direct:
    """PostgreSQL with nothing in between: what load and server do alone."""

    name, mode = "direct", "transaction"

    def __init__(self, server):
        self.child, self.sql_port = server.child, server.port

    def mode_for(self, case):
        # It keeps a few for its administrator.
        return "session" if case.clients < SERVER_CONNECTIONS - 10 else None


# name -> (class, configuration template)
POOLERS = {
    "pgbouncer": (PgBouncer, "postgres/pgbouncer.ini"),
    "deepwater": (Deepwater, "postgres/deepwater.toml"),
}


def set_mode(pooler, case):
    """Prepares a pooler, not yet started, for a case; whether it can run it at all."""
    mode = pooler.mode_for(case)
    pooler.mode = mode or pooler.mode
    return mode is not None
