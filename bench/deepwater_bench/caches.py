"""The peers as caches: each behind the same face as a proxy, with a count of its own answers besides."""

import csv
import http.client
import json
import re
import shutil
import socket
import subprocess
from dataclasses import dataclass

from .cases import BODIES
from .cpu import resident_bytes
from .peers import Deepwater, HAProxy, Nginx, Peer, StubStatus, get, version_of
from .process import Failure
from .tools import find

MIB = 1024 * 1024
MEMORY_MIB = 256
CHECKS = 10
HAPROXY_BLOCK_BYTES = 1024
VARNISH_PARAMETERS = {
    # One core, one pool; a thread for each connection of the largest case, ready before they come.
    "thread_pools": 1,
    "thread_pool_min": 1_000,
    # Ten thousand clients may come at once; by default it would turn most of them away.
    "thread_queue_limit": 16_384,
    "listen_depth": 16_384,
    "timeout_idle": 3600,
}
# Nothing logged, as of the others: this is what it would write of a hit.
VARNISH_SILENT = {
    "vsl_mask": "-Begin,-Link,-End,-SessOpen,-SessClose,-Timestamp,-Hit,-VCL_call,-VCL_return,-VCL_use,"
    "-ReqStart,-ReqMethod,-ReqURL,-ReqProtocol,-ReqHeader,-ReqUnset,-ReqAcct,"
    "-RespProtocol,-RespStatus,-RespReason,-RespHeader,-RespUnset",
}
# What costs nginx least for answers of 1 KiB, and what it comes with.
NGINX_TUNED = {
    "SENDFILE": "sendfile off;",
    "OPEN_FILES": "open_file_cache max=4096 inactive=1h; open_file_cache_valid 1h;",
}
NGINX_AS_SHIPPED = {"SENDFILE": "sendfile on; tcp_nopush on;", "OPEN_FILES": ""}
# What a request to a caching route of Deepwater's can come to.
DEEPWATER_RESULTS = ("hits", "stale", "coalesced", "revalidated", "misses", "bypassed")


@dataclass
class Cache(Peer):
    """One cache; `memory_mib` is what it may store, from its next start; `as_shipped`, without our tuning of hits."""

    memory_mib: int = MEMORY_MIB
    as_shipped: bool = False
    listens = ("HTTP",)

    def start(self, setting, wrapper=()):
        """Starts empty."""
        self.store = setting.fast_directory / self.name
        shutil.rmtree(self.store, ignore_errors=True)
        self.store.mkdir()
        super().start(setting, wrapper)

    def values(self):
        return super().values() | {"CACHE_MIB": self.memory_mib, "STORE": self.store}

    def answered(self):
        """How many requests it has answered, by its own count."""
        raise NotImplementedError

    def purge(self, number):
        """(port, request) that makes `/object/NUMBER` unfit for use; None where there is no such thing."""
        return None

    def footprint(self):
        """Bytes of memory in use, wherever its objects are kept."""
        return resident_bytes(self.child.pid)


class CachingNginx(Cache, Nginx):
    def values(self):
        return super().values() | (NGINX_AS_SHIPPED if self.as_shipped else NGINX_TUNED)

    def start(self, setting, wrapper=()):
        super().start(setting, wrapper)
        self.status = StubStatus(self.ports["CONSOLE"])

    def answered(self):
        return self.status.requests()

    def footprint(self):
        # Its objects are files in memory, which the kernel keeps in whole pages.
        files = sum(512 * path.stat().st_blocks for path in self.store.rglob("*"))
        return super().footprint() + files


class CachingHAProxy(Cache, HAProxy):
    def start(self, setting, wrapper=()):
        self.socket = setting.directory / "haproxy.sock"
        super().start(setting, wrapper)

    def answered(self):
        rows = csv.DictReader(self._ask("show stat web 1 -1").lstrip("# ").splitlines())
        return int(next(rows)["req_tot"])

    def footprint(self):
        # It takes all its memory when it starts: count the blocks that hold objects.
        used = sum(map(int, re.findall(r"\((\d+) blocks\)", self._ask("show cache"))))
        taken = resident_bytes(self.child.pid, "RssShmem:")
        total = self.memory_mib * MIB / HAPROXY_BLOCK_BYTES
        return super().footprint() - round(taken * (1 - used / total))

    def _ask(self, question):
        with socket.socket(socket.AF_UNIX) as stream:
            stream.settimeout(30)
            stream.connect(str(self.socket))
            stream.sendall(f"{question}\n".encode())
            return stream.makefile().read()


class Varnish(Cache):
    def version(self):
        return version_of([self.program, "-V"])

    def command(self, config):
        parameters = VARNISH_PARAMETERS | ({} if self.as_shipped else VARNISH_SILENT)
        return [
            *(self.program, "-F", "-j", "none", "-n", self.store, "-f", config),
            *("-a", f"127.0.0.1:{self.ports['HTTP']}", "-s", f"malloc,{self.memory_mib}M"),
            *(part for name, value in parameters.items() for part in ("-p", f"{name}={value}")),
        ]

    def answered(self):
        command = [find("varnishstat"), "-1", "-j", "-n", self.store, "-f", "MAIN.client_req"]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise Failure(f"varnishstat failed:\n{done.stderr}")
        return json.loads(done.stdout)["counters"]["MAIN.client_req"]["value"]

    def purge(self, number):
        port = self.ports["HTTP"]
        return port, f"PURGE /object/{number} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()


class CachingDeepwater(Cache, Deepwater):
    listens = ("HTTP", "CONSOLE")

    def answered(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["CONSOLE"], timeout=10)
        routes = json.loads(get(self, connection, "/api/cache"))["routes"]
        connection.close()
        return sum(route[result] for route in routes for result in DEEPWATER_RESULTS)

    def purge(self, number):
        port = self.ports["CONSOLE"]
        body = json.dumps({"tag": f"object-{number}"})
        head = f"POST /api/cache/purge HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json"
        return port, f"{head}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


# As in peers.PROXIES.
CACHES = {
    "nginx": (CachingNginx, "nginx", "cache/nginx.conf"),
    "haproxy": (CachingHAProxy, "haproxy", "cache/haproxy.cfg"),
    "varnish": (Varnish, "varnishd", "cache/varnish.vcl"),
    "deepwater": (CachingDeepwater, None, "cache/deepwater.toml"),
}


def check(cache, origin):
    """Refuses to measure what does not answer from its cache, with the right bodies."""
    connection = http.client.HTTPConnection("127.0.0.1", cache.port("h1"), timeout=5)
    for body, length in BODIES.items():
        path = f"/cached/{body}"
        get(cache, connection, path)
        asked = origin.requests()
        for _ in range(CHECKS):
            got = get(cache, connection, path)
            if len(got) != length:
                raise Failure(f"{cache.name} answers {path} with {len(got)} bytes, not {length}")
        if origin.requests() != asked:
            raise Failure(f"{cache.name} does not answer {path} from its cache")
    connection.close()
