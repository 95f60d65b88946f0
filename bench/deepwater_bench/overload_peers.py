"""What stands in front of an application that is asked too much: proxies without and with a limit."""

import http.client
import re
import subprocess
from dataclasses import dataclass, field

from .peers import Deepwater, HAProxy, Nginx
from .process import wait_for_port
from .tools import find, rust_program

# Workers of the application (bench/workers.rs), and the requests that a limit lets it have at once: a quarter
# more, so that none waits for work while the next request is on its way.
WORKERS, LIMIT = 16, 20
IMPORTANT = "/important/page"
# How long HAProxy lets a request wait for its turn, set for short latency. Its own default is `timeout connect`.
SHORT_QUEUE = "timeout queue 20ms"
PRIORITY_CLASS = "http-request set-priority-class int(-1) if { path_beg /important/ }"


@dataclass(frozen=True)
class Variant:
    """A proxy with one setting: `peer` is the proxy's name, `values` go into its template."""

    name: str
    peer: str
    text: str
    values: dict
    # With requests of `IMPORTANT` before others, where there is such a thing.
    priority: dict = field(default_factory=dict)


VARIANTS = (
    Variant("nginx", "nginx", "nginx, no limit", {}),
    Variant("nginx-limit", "nginx", "nginx, `limit_conn`", {"GUARD": f"limit_conn app {LIMIT};"}),
    Variant("haproxy", "haproxy", "HAProxy, no limit", {}),
    Variant("haproxy-maxconn", "haproxy", "HAProxy, `maxconn`", {"GUARD": f"maxconn {LIMIT}"}),
    Variant(
        "haproxy-queue",
        "haproxy",
        f"HAProxy, `maxconn`, `{SHORT_QUEUE}`",
        {"GUARD": f"maxconn {LIMIT}", "QUEUE": SHORT_QUEUE},
        {"PRIORITY": PRIORITY_CLASS},
    ),
    Variant("deepwater", "deepwater", "Deepwater, no limit", {}),
    Variant(
        "deepwater-fixed",
        "deepwater",
        "Deepwater, fixed",
        {"GUARD": f"concurrency = {{ max = {LIMIT} }}"},
        {"PRIORITY": 'priority = "high"'},
    ),
    Variant(
        "deepwater-gradient",
        "deepwater",
        "Deepwater, gradient",
        {"GUARD": 'concurrency = { limit = "gradient" }'},
        {"PRIORITY": 'priority = "high"'},
    ),
)
DIRECT = Variant("direct", "direct", "application alone", {})
TEXTS = {variant.name: variant.text for variant in (DIRECT, *VARIANTS)}


class _Guarded:
    """A peer with a variant's lines in its configuration."""

    listens = ("HTTP",)
    lines = {}

    def values(self):
        return super().values() | {"GUARD": "", "QUEUE": "", "PRIORITY": ""} | self.lines

    def limit(self):
        """The limit in force, where it moves."""
        return None


class GuardedNginx(_Guarded, Nginx):
    pass


class GuardedHAProxy(_Guarded, HAProxy):
    pass


class GuardedDeepwater(_Guarded, Deepwater):
    def limit(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["CONSOLE"], timeout=5)
        connection.request("GET", "/metrics")
        page = connection.getresponse().read().decode()
        connection.close()
        found = re.search(r"^deepwater_edge_upstream_concurrency_limit\{.*\} (\d+)", page, re.MULTILINE)
        return int(found[1]) if found else None


_KINDS = {
    "nginx": (GuardedNginx, "overload/nginx.conf"),
    "haproxy": (GuardedHAProxy, "overload/haproxy.cfg"),
    "deepwater": (GuardedDeepwater, "overload/deepwater.toml"),
}


def made(variant, deepwater, priority=False):
    """The peer of a variant, not yet started; `deepwater()` gives the path of its binary."""
    kind, template = _KINDS[variant.peer]
    program = str(deepwater()) if variant.peer == "deepwater" else find(variant.peer)
    peer = kind(variant.name, program, template)
    peer.lines = variant.values | (variant.priority if priority else {})
    return peer


class Application:
    """The application itself, fresh for each run: an overload leaves a queue behind."""

    name = DIRECT.name

    def __init__(self, setting):
        self._port = setting.values["APP"]
        command = [rust_program(setting.directory, "workers"), self._port]
        self.child = setting.children.start_load(command, setting.cores.origin, subprocess.DEVNULL, "workers")
        wait_for_port(self.child, self._port)

    def port(self, _protocol):
        return self._port

    def limit(self):
        return None

    def control(self, workers=WORKERS, percent=100):
        """How many work from now on, and what part of the usual time a request takes them."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        connection.request("GET", f"/control/{workers}/{percent}")
        connection.getresponse().read()
        connection.close()
