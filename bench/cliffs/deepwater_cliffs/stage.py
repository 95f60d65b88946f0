"""One round's cast: the application, Deepwater before it and behind it, PostgreSQL and a narrow line where needed."""

import contextlib
import http.client
import subprocess
import time

from deepwater_bench import load
from deepwater_bench.measure import Drive
from deepwater_bench.peers import Deepwater, fill
from deepwater_bench.process import Failure, wait_for_port
from deepwater_bench.tools import rust_program

from . import ramp

TEMPLATE = "cliffs/deepwater.toml"
USER, DATABASE = "bench", "shop"
PAGE = "/page"
# An application that is well again keeps nobody waiting, twice in a row; it gets this much time for it.
RECOVERY_S = 60
COUNTERS = (
    "DROP TABLE IF EXISTS counters",
    "CREATE TABLE counters (id integer PRIMARY KEY, n bigint NOT NULL)",
    "INSERT INTO counters VALUES (1, 0)",
)


def programs(directory):
    """The programs of ours, built."""
    (directory / "cliffs/app").mkdir(parents=True, exist_ok=True)
    names = {"app": "cliffs/app/main", "relay": "cliffs/relay", "surge": "surge"}
    built = {name: rust_program(directory, path) for name, path in names.items()}
    if None in built.values():
        raise Failure("rustc is missing: install Rust (https://rustup.rs)")
    return built


class Surge(load.Surge):
    """With gaps of its own."""

    seed = 0

    def command(self, seconds, directory):
        program, address, file, patience_ms, *phases = super().command(seconds, directory)
        return [program, address, file, patience_ms, f"seed={self.seed}", *phases]


class Scene:
    """What runs, and what it is asked."""

    name = "deepwater"

    def __init__(self, setting, plan, built, child, console, port):
        self.setting, self.plan, self.built, self.child = setting, plan, built, child
        # Where the lens answers, and where the load goes.
        self.console, self.port = console, port

    def drive(self, phases, seed):
        """The load of these phases, begun."""
        requests = [load.get(self.port, PAGE)]
        generator = Surge(self.built["surge"], self.port, requests, phases, round(1000 * ramp.PATIENCE_S))
        generator.seed = seed
        return Drive(self.setting, self, generator, sum(seconds for _, seconds in phases), "surge")

    def recover(self):
        """Returns once what a step left behind is done."""
        deadline = time.monotonic() + RECOVERY_S
        well = 0
        while well < 2:
            if time.monotonic() > deadline:
                raise Failure(f"the application is not well again after {RECOVERY_S} s")
            well = well + 1 if self._answers_soon() else 0

    def _answers_soon(self):
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=RECOVERY_S)
        try:
            connection.request("GET", PAGE)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"the application does not answer: {error!r}\n{self.child.words()}") from None
        finally:
            connection.close()
        return answer.status == 200 and time.monotonic() - began < self.plan.slowest_s + ramp.WAIT_S


@contextlib.contextmanager
def staged(setting, plan, binary, server, built):
    """The scene of `plan`, with fresh processes that end with the block; `server` is PostgreSQL where it needs it."""
    take = setting.ports.take
    ports = {name: take() for name in ("APP", "HTTP", "CONSOLE", "SQL", "RELAY")}
    running = []

    def start(name, command, port):
        child = setting.children.start(name, command, setting.all_cores, cwd=setting.directory)
        running.append(child)
        wait_for_port(child, port)
        return child

    try:
        if plan.needs_postgres:
            server.sql(*COUNTERS)
        words = [str(word).format(sql=ports["SQL"]) for word in plan.application]
        start("app", [built["app"], ports["APP"], *words], ports["APP"])
        config = setting.directory / TEMPLATE
        config.write_text(fill(TEMPLATE, ports | {"REST": _rest(setting, plan, server, ports)}))
        child = start("deepwater", [binary, "run", "-c", config], ports["HTTP"])
        port = ports["HTTP"]
        if plan.bits_per_second:
            port = ports["RELAY"]
            # A load generator's timers: a line is paced by them.
            command = [built["relay"], port, ports["HTTP"], plan.bits_per_second]
            relay = setting.children.start_load(command, setting.all_cores, subprocess.DEVNULL, "relay")
            running.append(relay)
            wait_for_port(relay, port)
        yield Scene(setting, plan, built, child, ports["CONSOLE"], port)
    finally:
        for child in reversed(running):
            setting.children.stop(child)


def _rest(setting, plan, server, ports):
    """The tables that not every round has."""
    lines = []
    if plan.needs_postgres:
        users = setting.directory / "users.txt"
        users.write_text(f'"{USER}" ""\n')
        lines += ["[postgres]", f'listen = "127.0.0.1:{ports["SQL"]}"', 'mode = "transaction"']
        lines += [f"{name} = {value}" for name, value in plan.postgres.items()]
        lines += ["", "[postgres.auth]", 'method = "trust"', f'users = "{users}"']
        url = f"postgres://{USER}@127.0.0.1:{server.port}/{USER}"
        lines += ["", f"[postgres.databases.{DATABASE}]", f'primary = "{url}"']
    if plan.limits:
        lines += ["", "[lens.limits]", *(f'{name} = "{value}"' for name, value in plan.limits.items())]
    return "\n".join(lines)


def version(binary):
    return Deepwater("deepwater", str(binary), TEMPLATE).version()
