//! A queue of our own, event by event, whose knee is known: what forecasts are tried on.

use super::Window;
use crate::random::Random;

/// Who is served when more requests are there than servers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Discipline {
    /// Each server takes the request that waits longest.
    FirstCome,
    /// All share the servers evenly: an operating system's cores.
    Sharing,
}

/// How service times are spread around their mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Service {
    Fixed,
    Exponential,
    /// One in five is long: the squared coefficient of variation is 3.25.
    Hyper,
}

impl Service {
    fn draw(self, mean_s: f64, random: &mut Random) -> f64 {
        match self {
            Self::Fixed => mean_s,
            Self::Exponential => mean_s * random.exponential(),
            Self::Hyper if random.unit() < 0.2 => 2.5 * mean_s * random.exponential(),
            Self::Hyper => 0.625 * mean_s * random.exponential(),
        }
    }
}

/// What is measured as busy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Measure {
    /// Servers that work.
    Servers,
    /// Requests that are there, as each holds a connection or a worker.
    Held,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Station {
    pub(super) servers: usize,
    pub(super) service_s: f64,
    pub(super) discipline: Discipline,
    pub(super) service: Service,
    pub(super) measure: Measure,
}

impl Station {
    /// Windows of a second, each with Poisson arrivals at its rate.
    pub(super) fn run(&self, rates: &[f64], random: &mut Random) -> Vec<Window> {
        let mut jobs: Vec<f64> = Vec::new();
        rates.iter().map(|rate| self.window(*rate, &mut jobs, random)).collect()
    }

    fn window(&self, rate: f64, jobs: &mut Vec<f64>, random: &mut Random) -> Window {
        let (mut left, mut busy, mut done) = (1.0, 0.0, 0.0);
        // Without memory: the time to the next arrival may be drawn anew with each window.
        let mut arrival = random.exponential() / rate;
        loop {
            let served = match self.discipline {
                Discipline::FirstCome => jobs.len().min(self.servers),
                Discipline::Sharing => jobs.len(),
            };
            let pace = (self.servers as f64 / served.max(1) as f64).min(1.0);
            let least = jobs[..served].iter().copied().fold(f64::INFINITY, f64::min);
            let step = (least / pace).min(arrival).min(left);
            busy += step
                * match self.measure {
                    Measure::Servers => jobs.len().min(self.servers) as f64,
                    Measure::Held => jobs.len() as f64,
                };
            jobs[..served].iter_mut().for_each(|job| *job -= step * pace);
            left -= step;
            arrival -= step;
            if let Some(at) = jobs[..served].iter().position(|job| *job <= 1e-12) {
                jobs.remove(at);
                done += 1.0;
            }
            if arrival <= 1e-12 {
                jobs.push(self.service.draw(self.service_s, random));
                arrival = random.exponential() / rate;
            }
            if left <= 1e-12 {
                return Window { throughput: vec![done], busy };
            }
        }
    }
}

/// A ramp in even steps.
pub(super) fn ramp(from: f64, to: f64, windows: usize) -> Vec<f64> {
    (0..windows).map(|at| from + (to - from) * at as f64 / (windows - 1) as f64).collect()
}

#[test]
fn the_queue_obeys_theory() {
    let mut random = Random::from_seed(crate::testing::seed());
    let mut held = |discipline, service, servers, rate: f64| {
        let station = Station { servers, service_s: 0.01, discipline, service, measure: Measure::Held };
        let windows = station.run(&vec![rate; 2_000], &mut random);
        windows.iter().map(|window| window.busy).sum::<f64>() / 2_000.0
    };
    let near = |is: f64, expected: f64| assert!((is / expected - 1.0).abs() < 0.1, "{is} for {expected}");
    // M/M/1: ρ/(1 - ρ); so it is for sharing with any service times.
    near(held(Discipline::FirstCome, Service::Exponential, 1, 70.0), 7.0 / 3.0);
    near(held(Discipline::Sharing, Service::Hyper, 1, 70.0), 7.0 / 3.0);
    // M/D/1: ρ + ρ²/(2(1 - ρ)).
    near(held(Discipline::FirstCome, Service::Fixed, 1, 70.0), 0.7 + 0.49 / 0.6);
    // M/M/4 at ρ = 0.8: a + C·ρ/(1 - ρ) with C = 0.596432.
    near(held(Discipline::FirstCome, Service::Exponential, 4, 320.0), 3.2 + 0.596_432 * 4.0);
}
