"""The application behind the proxies; it also counts the requests it gets."""

import http.client
import re

from .cases import BODIES
from .peers import fill, nginx_user
from .process import Failure, wait_for_port
from .tools import find


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
        self._counter = http.client.HTTPConnection("127.0.0.1", self.ports["STATUS"], timeout=10)
        self._asked = 0

    def port(self, protocol):
        """Where a load goes that leaves the proxies out."""
        if protocol != "h1":
            raise Failure("the origin speaks cleartext HTTP/1.1 only")
        return self.ports["TARGET_1"]

    def requests(self):
        """Requests for the application so far, without the questions asked here."""
        self._counter.request("GET", "/")
        page = self._counter.getresponse().read().decode()
        self._asked += 1
        return int(re.search(r"^ \d+ \d+ (\d+)", page, re.MULTILINE)[1]) - self._asked
