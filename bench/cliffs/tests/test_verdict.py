import unittest

from deepwater_cliffs import report, verdict


def run(knee=400, forecast=(410, 360, 470), nearest="connection_pool:shop/bench", limiter="pool", number=1, unsound=None, cores=0.004):
    at = None if forecast is None else dict(zip(("load", "low", "high"), forecast)) | {"confidence": 0.8}
    reading = {"nearest": nearest, "state": "forecast" if at else "cannot_tell", "forecast": at}
    made = {
        "limiter": limiter,
        "cliff": "connection_pool:shop",
        "round": number,
        "knee": knee,
        "reading": reading,
        "ramp": {"rate": 200},
        "unsound": unsound,
        "lens_cores": cores,
        "lens_bytes": 5 << 20,
    }
    return made | {"verdict": verdict.judge(made)}


class Judging(unittest.TestCase):
    def test_a_good_forecast(self):
        judged = run()["verdict"]
        self.assertAlmostEqual(judged.pop("error"), 0.025)
        self.assertEqual(judged, {"right": True, "within": True, "covered": True, "cheap": True})

    def test_off_by_more_than_a_quarter(self):
        judged = run(forecast=(520, 380, 600))["verdict"]
        self.assertEqual((judged["within"], judged["covered"]), (False, True))

    def test_a_range_beside_the_knee(self):
        judged = run(forecast=(420, 405, 440))["verdict"]
        self.assertEqual((judged["within"], judged["covered"]), (True, False))

    def test_what_cannot_be_told_is_missed_in_each(self):
        judged = run(forecast=None, nearest=None)["verdict"]
        self.assertEqual(judged, {"right": False, "error": None, "within": False, "covered": False, "cheap": True})

    def test_a_wrong_cliff(self):
        self.assertFalse(run(nearest="cpu:machine")["verdict"]["right"])

    def test_a_knee_that_was_not_found_proves_nothing(self):
        judged = run(knee=None)["verdict"]
        self.assertEqual((judged["error"], judged["within"], judged["covered"]), (None, False, False))


class Totals(unittest.TestCase):
    def met(self, runs):
        return {total.key: total.met for total in verdict.totals(runs) if total.key != "cheap"}

    def test_nine_of_ten_have_to_be_right_and_eight_within_and_covered(self):
        good, wrong = [run()] * 9, run(nearest="cpu:machine", forecast=None)
        self.assertEqual(self.met([*good, wrong]), {"right": True, "within": True, "covered": True})
        self.assertEqual(self.met([*good[:-1], wrong, wrong]), {"right": False, "within": True, "covered": True})
        self.assertEqual(self.met([*good[:-2], wrong, wrong, wrong]), {"right": False, "within": False, "covered": False})

    def test_one_run_in_which_the_lens_is_dear_is_too_many(self):
        cheap = [total for total in verdict.totals([run()] * 9 + [run(cores=0.011)]) if total.key == "cheap"]
        self.assertEqual([total.met for total in cheap], [False])

    def test_no_run_meets_nothing(self):
        self.assertEqual(set(self.met([]).values()), {False})


class Report(unittest.TestCase):
    def record(self, *runs, incomplete=None):
        machine = {"cpu": "a processor", "cores": 2, "memory_gib": 8.0, "kernel": "Linux"}
        return {
            "machine": machine,
            "version": "0.1.0",
            "commit": "abc",
            "date": "2026-01-01T00:00:00+00:00",
            "seed": 7,
            "ramp_seconds": 100.0,
            "incomplete": incomplete,
            "runs": list(runs),
        }

    def test_hits_and_misses_are_told(self):
        text = report.markdown(self.record(run(), run(number=2, forecast=None, nearest=None)))
        self.assertIn("| pool 1 | 400 | 50% | 410 | 360 – 470 | +2% | yes | connection_pool:shop/bench | yes |", text)
        self.assertIn("| pool 2 | 400 | 50% | cannot tell | – | – | no | none | no |", text)
        self.assertIn("the right cliff named: 1 of 2 (goal 90%): missed", text)
        self.assertIn("seed 7", text)

    def test_what_proves_nothing_says_so(self):
        text = report.text(self.record(run(knee=None, unsound="no knee"), incomplete="the lens is gone"))
        self.assertIn("pool 1 proves nothing: no knee", text)
        self.assertIn("broke off: the lens is gone", text)
