import http.server
import json
import threading
import unittest

from deepwater_bench.process import Failure
from deepwater_cliffs import lens

AT = {"load": 410, "low": 360, "high": 470, "confidence": 0.8}


def cliff(name, kind, at=None, state="forecast"):
    return {"id": name, "kind": kind, "level": "clear", "state": state, "at": at, "text": f"about {name}", "evidence": []}


def answer(*cliffs, nearest=None):
    return {"load": {"value": 190.2, "unit": "requests per second"}, "nearest": nearest, "cliffs": list(cliffs)}


class Reading(unittest.TestCase):
    def test_tells_the_nearest_cliff_and_the_forecast_of_the_expected_one(self):
        pool, cpu = cliff("connection_pool:shop", "connection_pool", AT), cliff("cpu:app", "cpu", AT | {"load": 900})
        reading = lens.parse(answer(pool, cpu, nearest="connection_pool:shop"), "connection_pool:shop")
        self.assertEqual(reading.nearest, "connection_pool:shop")
        self.assertEqual(reading.forecast, lens.Forecast(410, 360, 470, 0.8))
        self.assertEqual(reading.others, {"cpu:app": 900})
        self.assertEqual(reading.load, 190.2)

    def test_a_wrong_nearest_cliff_leaves_the_expected_one_s_forecast(self):
        pool, cpu = cliff("connection_pool:shop", "connection_pool", AT), cliff("cpu:app", "cpu", AT | {"load": 300})
        reading = lens.parse(answer(pool, cpu, nearest="cpu:app"), "connection_pool:shop")
        self.assertEqual((reading.nearest, reading.forecast.load), ("cpu:app", 410))

    def test_of_several_that_may_be_it_the_one_with_the_lowest_load_counts(self):
        cliffs = [cliff("locks:a", "locks", state="cannot_tell"), cliff("locks:b", "locks", AT), cliff("locks:c", "locks", AT | {"load": 300})]
        self.assertEqual(lens.parse(answer(*cliffs), "locks:").forecast.load, 300)

    def test_no_forecast_is_none_and_no_such_cliff_is_absent(self):
        unsure = cliff("memory:app", "memory", state="cannot_tell")
        reading = lens.parse(answer(unsure), "memory")
        self.assertEqual((reading.state, reading.forecast, reading.nearest), ("cannot_tell", None, None))
        self.assertEqual(lens.parse(answer(unsure), "network").state, "absent")

    def test_an_answer_of_another_form_ends_the_run(self):
        for wrong in ({}, [], answer(nearest="cpu:app"), answer({"id": "cpu:app"}), answer(cliff("cpu:app", "cpu", {"load": "x"}))):
            with self.subTest(wrong=wrong), self.assertRaises(Failure):
                lens.parse(wrong, "cpu")


class Console(http.server.BaseHTTPRequestHandler):
    status, body = 200, b""

    def do_GET(self):
        self.send_response(self.status if self.path in (lens.PATH, lens.STATUS) else 404)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_):
        pass


class Asking(unittest.TestCase):
    def setUp(self):
        self.console = type("Console", (Console,), {})
        self.server = http.server.HTTPServer(("127.0.0.1", 0), self.console)
        self.addCleanup(self.server.server_close)
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)

    def read(self):
        return lens.read(self.server.server_address[1], "cpu")

    def test_the_console_is_asked(self):
        self.console.body = json.dumps(answer(cliff("cpu:app", "cpu", AT), nearest="cpu:app")).encode()
        self.assertEqual(self.read().nearest, "cpu:app")

    def cost(self, told):
        self.console.body = json.dumps(told).encode()
        return lens.cost(self.server.server_address[1])

    def test_what_the_lens_takes(self):
        self.assertEqual(self.cost({"lens": {"cpu": 0.004, "bytes": 1000}}), (0.004, 1000))

    def test_what_it_does_not_tell_is_not_nothing(self):
        with self.assertRaisesRegex(Failure, "does not tell"):
            self.cost({"lens": {"cpu": None, "bytes": 1000}})

    def test_a_binary_without_the_lens_ends_the_run(self):
        self.console.status = 404
        with self.assertRaisesRegex(Failure, "404"):
            self.read()

    def test_what_is_no_json_ends_the_run(self):
        self.console.body = b"<html>"
        with self.assertRaisesRegex(Failure, "no JSON"):
            self.read()
