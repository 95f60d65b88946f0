//! Traces with the shapes that tell policies apart.

use crate::store::testing::Random;

/// A request: which object. Its size follows from it: [`size`].
pub(super) type Requests = Vec<u64>;

/// Where the numbers of objects that are asked for once begin.
const WONDERS: u64 = 1 << 40;

/// Ranks with the probability `1 / rank^s`, from 0.
struct Zipf {
    cumulative: Vec<f64>,
}

impl Zipf {
    fn new(objects: usize, s: f64) -> Self {
        let mut sum = 0.0;
        let weight = |rank: usize| {
            sum += (rank as f64).powf(-s);
            sum
        };
        Self { cumulative: (1..=objects).map(weight).collect() }
    }

    fn rank(&self, random: &mut Random) -> u64 {
        let total = self.cumulative.last().copied().unwrap_or(0.0);
        let point = random.unit() * total;
        self.cumulative.partition_point(|sum| *sum < point) as u64
    }
}

/// Bytes: mostly a few KiB, some a hundred times as much. The same for the same object.
pub(super) fn size(object: u64) -> u64 {
    let mut random = Random::new(object);
    let log = (random.unit() + random.unit() + random.unit()) / 3.0;
    (200.0 * (600.0_f64).powf(log)) as u64
}

/// Zipf among `objects`, and a share of requests for what is never asked for again.
pub(super) fn zipf(random: &mut Random, requests: usize, objects: usize, s: f64, wonders: f64) -> Requests {
    let zipf = Zipf::new(objects, s);
    let mut next = WONDERS;
    let mut one = || {
        if random.unit() < wonders {
            next += 1;
            return next;
        }
        zipf.rank(random)
    };
    (0..requests).map(|_| one()).collect()
}

/// Zipf, and now and then a crawler that asks for everything there is, in order.
pub(super) fn scans(random: &mut Random, requests: usize, objects: usize, s: f64) -> Requests {
    let zipf = Zipf::new(objects, s);
    let mut trace = Requests::new();
    let every = requests / 5;
    while trace.len() < requests {
        trace.extend((0..every * 3 / 4).map(|_| zipf.rank(random)));
        let from = random.below(objects as u64);
        // The crawler's requests are among the others'.
        for step in 0..every as u64 / 8 {
            trace.push(WONDERS + (from + step) % (2 * objects as u64));
            trace.push(zipf.rank(random));
        }
    }
    trace.truncate(requests);
    trace
}

/// Zipf whose ranks are given to new objects one by one, each rank as often: news. `every` so many requests one
/// is replaced.
pub(super) fn news(random: &mut Random, requests: usize, objects: usize, s: f64, every: u64) -> Requests {
    let zipf = Zipf::new(objects, s);
    let mut ranks: Requests = (0..objects as u64).collect();
    let mut next = objects as u64;
    let mut one = || {
        if random.below(every) == 0 {
            ranks[random.below(objects as u64) as usize] = next;
            next += 1;
        }
        ranks[zipf.rank(random) as usize]
    };
    (0..requests).map(|_| one()).collect()
}

/// Zipf over a window that moves over all objects, `turns` times its length: popular today, gone tomorrow.
pub(super) fn drift(random: &mut Random, requests: usize, objects: usize, s: f64, turns: f64) -> Requests {
    let zipf = Zipf::new(objects, s);
    let one = |step: usize| {
        let moved = (turns * (step * objects) as f64 / requests as f64) as u64;
        // An object's rank jumps about while the window passes over it.
        zipf.rank(random).wrapping_mul(7919) % objects as u64 + moved
    };
    (0..requests).map(one).collect()
}

/// Everything in turn, again and again.
pub(super) fn looping(requests: usize, objects: usize) -> Requests {
    (0..requests as u64).map(|step| step % objects as u64).collect()
}
