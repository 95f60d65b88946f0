"""The applications behind the proxies; they also count the requests they get."""

import http.client
import json

from .cases import BODIES
from .peers import StubStatus, fill, nginx_user
from .process import Failure, wait_for_port
from .tools import find, rust_program


class Origin:
    """A second nginx on the load's side: two targets, one page of counters."""

    name = "origin"

    def __init__(self, setting):
        self.ports = {name: setting.ports.take() for name in ("TARGET_1", "TARGET_2", "STATUS")}
        (setting.directory / "64k").write_bytes(b"x" * BODIES["64k"])
        values = self.ports | {
            "DIR": setting.directory,
            "USER": nginx_user(),
            "BODY_1K": "x" * BODIES["1k"],
        }
        config = setting.directory / "origin.conf"
        config.write_text(fill("origin.conf", values))
        command = [find("nginx"), "-e", "stderr", "-p", setting.directory, "-c", config]
        self.child = setting.children.start(self.name, command, setting.cores.origin)
        wait_for_port(self.child, self.ports["STATUS"])
        # Requests for the application so far.
        self.requests = StubStatus(self.ports["STATUS"]).requests

    def port(self, protocol):
        """Where a load goes that leaves the proxies out."""
        if protocol != "h1":
            raise Failure("the origin speaks cleartext HTTP/1.1 only")
        return self.ports["TARGET_1"]


class SlowOrigin:
    """An application that takes its time: what a cache must not ask twice for one thing."""

    name = "slow"

    def __init__(self, setting, port):
        self.port = port
        command = [rust_program(setting.directory, self.name), port]
        self.child = setting.children.start(self.name, command, setting.cores.origin)
        wait_for_port(self.child, port)

    def counts(self):
        """(answers so far, the most under way at once since the last call)."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/counts")
        counts = json.loads(connection.getresponse().read())
        connection.close()
        return counts["answered"], counts["most_at_once"]
