"""The application and the relay themselves, built as a run builds them."""

import http.client
import shutil
import socketserver
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

from deepwater_bench.cpu import best_source, cpu_ns
from deepwater_bench.process import Children, Ports, wait_for_port
from deepwater_cliffs import others, stage

MIB = 1024 * 1024


def get(port):
    """(status, bytes of the body)"""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/page")
        answer = connection.getresponse()
        return answer.status, len(answer.read())
    finally:
        connection.close()


class Database(socketserver.ThreadingTCPServer):
    """Lets everybody in, answers every query with nothing, or with an error if it says so."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Session)
        self.logins, self.queries = [], []


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        [length] = struct.unpack("!i", self.rfile.read(4))
        self.server.logins.append(self.rfile.read(length - 4)[4:])
        self.wfile.write(b"R" + struct.pack("!ii", 8, 0) + self.ready())
        while head := self.rfile.read(5):
            query = self.rfile.read(struct.unpack("!i", head[1:])[0] - 4).rstrip(b"\0").decode()
            self.server.queries.append(query)
            error = b"E" + struct.pack("!i", 4 + 5) + b"Mno\0\0" if query == "FAIL" else b""
            self.wfile.write(error + self.ready())

    def ready(self):
        return b"Z" + struct.pack("!i", 5) + b"I"


@unittest.skipUnless(shutil.which("rustc"), "rustc is missing")
class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.built = stage.programs(cls.directory)
        cls.ports = Ports()

    def setUp(self):
        self.children = self.enterContext(Children(self.directory))

    def start(self, name, *words):
        port = self.ports.take()
        child = self.children.start(name, [self.built[name], port, *words], "0", stdout=subprocess.DEVNULL)
        wait_for_port(child, port)
        return port, child.pid

    def test_an_answer_has_the_size_it_is_told(self):
        port, _ = self.start("app", 4, "send", 200 * 1024)
        self.assertEqual(get(port), (200, 200 * 1024))

    def test_processor_time_is_spent_as_told(self):
        port, pid = self.start("app", 1, "spin", 20_000)
        before = cpu_ns([pid], best_source())
        for _ in range(10):
            self.assertEqual(get(port)[0], 200)
        spent = (cpu_ns([pid], best_source()) - before) / 1e9
        # Between half and one and a half, and what the requests themselves cost.
        self.assertTrue(0.1 <= spent <= 0.4, spent)

    def test_memory_beyond_the_limit_is_refused_and_given_back(self):
        port, _ = self.start("app", 2, "hold", 64 * MIB, 10_000, 128 * MIB)
        self.assertEqual(get(port)[0], 200)
        self.assertEqual(get(port)[0], 200)
        port, _ = self.start("app", 2, "hold", 64 * MIB, 10_000, 32 * MIB)
        self.assertEqual(get(port)[0], 503)

    def test_queries_go_one_after_the_other_over_a_connection_that_is_kept_until_an_error(self):
        with Database() as database:
            thread = threading.Thread(target=database.serve_forever)
            thread.start()
            try:
                words = ("sql", database.server_address[1], "bench", "shop")
                port, _ = self.start("app", 1, *words, "BEGIN", "COMMIT")
                self.assertEqual([get(port)[0], get(port)[0]], [200, 200])
                self.assertEqual(database.queries, ["BEGIN", "COMMIT"] * 2)
                self.assertEqual(database.logins, [b"user\0bench\0database\0shop\0\0"])
                port, _ = self.start("app", 1, *words, "FAIL", "COMMIT")
                self.assertEqual([get(port)[0], get(port)[0]], [503, 503])
                self.assertEqual(database.queries[4:], ["FAIL", "FAIL"])
                self.assertEqual(len(database.logins), 3)
            finally:
                database.shutdown()
                thread.join()

    def test_a_line_is_no_wider_than_told(self):
        origin, _ = self.start("app", 4, "send", 500 * 1000)
        port, _ = self.start("relay", origin, 8_000_000)
        began = time.monotonic()
        self.assertEqual(get(port), (200, 500 * 1000))
        self.assertEqual(get(port), (200, 500 * 1000))
        # A megabyte at a megabyte a second; what an idle line has saved up is little.
        self.assertGreater(time.monotonic() - began, 0.9)

    def test_what_children_have_used_is_ours_when_they_are_gone(self):
        class Setting:
            cpu_source = best_source()

        watch = others.Watch(Setting)
        before = watch._ours()
        subprocess.run(["python3", "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
        self.assertGreaterEqual(watch._ours() - before, 0.28e9)
        self.assertGreaterEqual(watch.cores(), 0.0)
