"""The proxies, each behind the same face."""

import http.client
import os
import re
import socket
import ssl
import subprocess
from dataclasses import dataclass, field

from .cases import BODIES
from .process import Child, Failure, wait_for_port
from .tools import BENCH, find


def fill(template, values):
    """The configuration `bench/TEMPLATE` with every @NAME@ replaced."""
    text = (BENCH / template).read_text()
    return re.sub(r"@([A-Z0-9_]+)@", lambda match: str(values[match[1]]), text)


def nginx_user():
    """nginx drops root by default and then may not enter the run's private directory."""
    return "user root;" if os.geteuid() == 0 else ""


class StubStatus:
    """nginx's own count of the requests it has answered, read over a connection kept open."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        self._asked = 0

    def requests(self):
        """Requests so far, without the questions asked here."""
        self._connection.request("GET", "/")
        page = self._connection.getresponse().read().decode()
        self._asked += 1
        return int(re.search(r"^ \d+ \d+ (\d+)", page, re.MULTILINE)[1]) - self._asked


def version_of(command):
    done = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"\d+\.\d+[.\d]*", done.stdout + done.stderr)
    return found[0] if found else "unknown"


@dataclass
class Peer:
    """One proxy: how to write its configuration, how to start it, where it listens."""

    name: str
    program: str
    template: str
    ports: dict = field(default_factory=dict)
    child: Child | None = None
    # Those of its ports that take the load.
    listens = ("HTTP", "TLS")

    def version(self):
        return version_of([self.program, "--version"])

    def command(self, config):
        raise NotImplementedError

    def run_as(self):
        """Options of `subprocess.Popen` that say as whom it runs."""
        return {}

    def values(self):
        """What this peer's template needs beyond ports and certificates."""
        return {}

    def start(self, setting, wrapper=()):
        """Starts on free ports with one worker on the proxy's core; returns once it listens."""
        if not self.ports:
            self.ports = {name: setting.ports.take() for name in ("HTTP", "TLS", "CONSOLE")}
        config = setting.directory / self.template
        config.parent.mkdir(exist_ok=True)
        config.write_text(fill(self.template, setting.values | self.ports | self.values()))
        command = [*wrapper, *self.command(config)]
        self.child = setting.children.start(self.name, command, setting.cores.proxy, cwd=setting.directory)
        for name in self.listens:
            wait_for_port(self.child, self.ports[name])

    def stop(self, setting):
        setting.children.stop(self.child)
        self.child = None

    def port(self, protocol):
        return self.ports["HTTP" if protocol == "h1" else "TLS"]


class Nginx(Peer):
    def version(self):
        return version_of([self.program, "-v"])

    def command(self, config):
        return [self.program, "-e", "stderr", "-p", config.parent, "-c", config]

    def values(self):
        # `listen ... http2` became the directive `http2 on` in 1.25.1.
        separate = tuple(map(int, self.version().split("."))) >= (1, 25, 1)
        return {
            "USER": nginx_user(),
            "LISTEN_H2": "" if separate else "http2",
            "HTTP2_ON": "http2 on;" if separate else "",
        }


class HAProxy(Peer):
    def version(self):
        return version_of([self.program, "-v"])

    def command(self, config):
        return [self.program, "-db", "-f", config]


class Deepwater(Peer):
    def command(self, config):
        return [self.program, "run", "-c", config]


# name -> (class, program, configuration template); in the order of a round.
PROXIES = {
    "nginx": (Nginx, "nginx", "nginx.conf"),
    "haproxy": (HAProxy, "haproxy", "haproxy.cfg"),
    "deepwater": (Deepwater, None, "deepwater.toml"),
}


def known(names, deepwater, table=PROXIES):
    """The peers of these names that are in the table, in this order; `deepwater()` gives the path of its binary."""
    made = []
    for name in names:
        if name in table:
            kind, program, template = table[name]
            made.append(kind(name, find(program) if program else str(deepwater()), template))
    return made


def check(peer):
    """Refuses to measure a proxy that does other work than the rest; returns its TLS parameters.

    Right bodies, the forwarding headers at the application, a kept-alive upstream connection, and
    HTTP/2 on offer over TLS.
    """
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for scheme in ("http", "https"):
        if scheme == "http":
            connection = http.client.HTTPConnection("127.0.0.1", peer.port("h1"), timeout=5)
        else:
            connection = http.client.HTTPSConnection("127.0.0.1", peer.port("tls"), timeout=5, context=context)
        for body, length in BODIES.items():
            got = get(peer, connection, f"/api/{body}")
            if len(got) != length:
                raise Failure(f"{peer.name} answers /api/{body} over {scheme} with {len(got)} bytes, not {length}")
        told = get(peer, connection, "/api/echo").decode().split("|")
        if told[0] != "127.0.0.1" or told[1] != scheme:
            raise Failure(f"{peer.name} tells the application X-Forwarded-For and -Proto {told[:2]} over {scheme}")
        if told[2].lower() == "close":
            raise Failure(f"{peer.name} does not keep connections to the application alive")
        connection.close()
    context.set_alpn_protocols(["h2"])
    with socket.create_connection(("127.0.0.1", peer.port("h2")), timeout=5) as raw:
        with context.wrap_socket(raw) as secured:
            if secured.selected_alpn_protocol() != "h2":
                raise Failure(f"{peer.name} does not offer HTTP/2")
            return f"{secured.version()} {secured.cipher()[0]}"


def get(peer, connection, path):
    """The body of a good answer to a GET of `path` over an `http.client` connection."""
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise Failure(f"{peer.name} answers {path} with status {answer.status}")
    return body
