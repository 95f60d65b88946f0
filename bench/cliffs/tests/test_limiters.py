import random
import tempfile
import tomllib
import types
import unittest
from pathlib import Path

from deepwater_bench.peers import fill
from deepwater_cliffs import limiters, stage

PORTS = {"APP": 1, "HTTP": 2, "CONSOLE": 3, "SQL": 4, "RELAY": 5}


class Drawing(unittest.TestCase):
    def setUp(self):
        self.seed = random.SystemRandom().getrandbits(32)
        print(f"seed {self.seed}", end=" ", flush=True)

    def test_a_seed_gives_the_same_plans_and_rounds_differ(self):
        for name in limiters.LIMITERS:
            with self.subTest(name):
                plans = [limiters.drawn(name, self.seed, number) for number in range(8)]
                self.assertEqual(plans, [limiters.drawn(name, self.seed, number) for number in range(8)])
                self.assertGreater(len({plan.nominal for plan in plans}), 1)

    def test_knees_lie_where_a_small_machine_can_tell_them(self):
        for name in limiters.LIMITERS:
            for number in range(200):
                plan = limiters.drawn(name, self.seed, number)
                self.assertTrue(80 <= plan.nominal <= 1000, plan)

    def test_configurations_say_what_was_drawn(self):
        directory = self.enterContext(tempfile.TemporaryDirectory())
        setting = types.SimpleNamespace(directory=Path(directory))
        server = types.SimpleNamespace(port=6)
        for name in limiters.LIMITERS:
            with self.subTest(name):
                plan = limiters.drawn(name, self.seed, 0)
                rest = stage._rest(setting, plan, server, PORTS)
                config = tomllib.loads(fill(stage.TEMPLATE, PORTS | {"REST": rest}))
                self.assertEqual(config["pools"]["app"]["targets"], ["127.0.0.1:1"])
                self.assertEqual("postgres" in config, plan.needs_postgres)
                self.assertEqual(config.get("lens", {}).get("limits", {}), plan.limits)
                if plan.needs_postgres:
                    self.assertEqual(config["postgres"]["pool_size"], plan.parameters["pool_size"])
                    self.assertEqual(config["postgres"]["databases"]["shop"]["primary"], "postgres://bench@127.0.0.1:6/bench")

    def test_the_loss_formula_gives_what_its_tables_say(self):
        for places, refused, load in ((1, 0.05, 0.0526), (10, 0.01, 4.46), (10, 0.05, 6.22), (50, 0.05, 44.5)):
            self.assertAlmostEqual(limiters.offered(places, refused), load, delta=0.006 * load)

    def test_each_step_has_gaps_of_its_own(self):
        seeds = {limiters.load_seed(self.seed, "pool", number, step) for number in range(3) for step in ("ramp", 1, 2)}
        self.assertEqual(len(seeds), 9)
