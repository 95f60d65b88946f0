import itertools
import unittest

from deepwater_bench.load import Fate
from deepwater_cliffs import ramp

# An answer may take a tenth of a second more than that.
SLOWEST_S = 0.03


def at(rate, well):
    return ramp.Seen(rate=rate, sent=100, good=1.0, p95_ms=20.0, late_p99_ms=1.0, well=well)


class Loads(unittest.TestCase):
    def test_the_ramp_goes_from_a_tenth_to_half_in_the_time_it_has(self):
        phases = ramp.phases(400, 90)
        self.assertEqual((phases[0], phases[-1], len(phases)), ((40, 10), (200, 10), 9))
        self.assertEqual(sorted(phases), phases)

    def test_the_steps_after_it_get_finer_towards_the_expected_knee_and_never_stop_short_of_the_end(self):
        rates = list(ramp.rates(1000))
        self.assertEqual(rates[0], 550)
        gaps = [round(high - low, 6) for low, high in itertools.pairwise(rates)]
        near = [gap for low, gap in zip(rates, gaps) if 800 <= low < 1300]
        self.assertEqual(set(near), {25})
        self.assertGreaterEqual(rates[-1], 2500)


class Climbing(unittest.TestCase):
    def test_the_knee_is_the_last_that_went_well(self):
        knee, steps = ramp.climb(lambda rate: at(rate, rate <= 960), 1000)
        self.assertEqual(knee, 950)
        # The first that does not go well is tried twice, and nothing beyond it.
        self.assertEqual([one.rate for one in steps[-3:]], [950, 975, 975])

    def test_a_hiccup_is_no_knee(self):
        tried = []

        def step(rate):
            tried.append(rate)
            return at(rate, rate <= 1000 and (rate != 700 or tried.count(700) == 2))

        self.assertEqual(ramp.climb(step, 1000)[0], 1000)

    def test_a_knee_below_the_first_step_is_the_ramp_s_last(self):
        self.assertEqual(ramp.climb(lambda rate: at(rate, False), 1000)[0], 500)

    def test_without_an_end_there_is_no_knee(self):
        knee, steps = ramp.climb(lambda rate: at(rate, True), 1000)
        self.assertIsNone(knee)
        self.assertGreater(len(steps), 10)


class Fates(unittest.TestCase):
    def fates(self, count, took=0.01, status=200, late=0.0):
        return [Fate(due=1 + number / count, number=0, status=status, took=took, late=late) for number in range(count)]

    def test_only_those_count_that_were_due_in_the_window(self):
        late = Fate(due=2.0, number=0, status=503, took=1.0, late=0.0)
        seen = ramp.seen([*self.fates(100), late], 100, 1, 2, SLOWEST_S)
        self.assertEqual((seen.sent, seen.good), (100, 1.0))
        self.assertTrue(seen.well)

    def test_a_late_tail_is_not_well(self):
        fates = self.fates(94) + self.fates(6, took=0.2)
        self.assertFalse(ramp.seen(fates, 100, 1, 2, SLOWEST_S).well)

    def test_a_late_tail_of_few_is_well(self):
        fates = self.fates(96) + self.fates(4, took=0.2)
        self.assertTrue(ramp.seen(fates, 100, 1, 2, SLOWEST_S).well)

    def test_refusals_are_not_well_however_quick(self):
        fates = self.fates(94) + self.fates(6, status=503)
        self.assertFalse(ramp.seen(fates, 100, 1, 2, SLOWEST_S).well)

    def test_no_answer_at_all_is_not_well(self):
        seen = ramp.seen(self.fates(10, status=Fate.GAVE_UP), 10, 1, 2, SLOWEST_S)
        self.assertEqual((seen.p95_ms, seen.well), (None, False))
        self.assertFalse(ramp.seen([], 10, 1, 2, SLOWEST_S).well)

    def test_a_load_that_is_late_is_not_sound(self):
        self.assertTrue(ramp.seen(self.fates(100, late=0.001), 100, 1, 2, SLOWEST_S).sound)
        self.assertFalse(ramp.seen(self.fates(100, late=0.05), 100, 1, 2, SLOWEST_S).sound)
