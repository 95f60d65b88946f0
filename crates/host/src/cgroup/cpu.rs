//! A group's CPU quota and what it costs.

use std::path::Path;
use std::time::Duration;

use super::place::Place;
use super::{Locator, Version};
use crate::file::{Kept, Reader};
use crate::pressure::{self, Pressure};
use crate::roots::Roots;
use crate::text::{keyed, number, numbers};
use crate::unknown::Unknown;

/// CPU of a control group.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CgroupCpu {
    /// Cores of CPU time the group may use, the least over its path; `None` when there is no quota.
    pub quota_cores: Option<f64>,
    /// Times the quota was used up before its period ended, at all levels.
    pub throttled_periods: Option<u64>,
    /// Time tasks were held back by the quota, at all levels.
    pub throttled: Option<Duration>,
    /// Time in which a task of the group waited for a core. Version 2 only.
    pub pressure: Option<Pressure>,
}

/// The files of one level. Those of the other version are not there.
#[derive(Debug)]
struct Level {
    quota: Kept,
    period: Option<Kept>,
    stat: Kept,
}

impl Level {
    fn new(version: Version, path: &Path) -> Self {
        let (quota, period) = match version {
            Version::V1 => ("cpu.cfs_quota_us", Some("cpu.cfs_period_us")),
            Version::V2 => ("cpu.max", None),
        };
        Self {
            quota: Kept::new(path.join(quota), "cpu quota"),
            period: period.map(|period| Kept::new(path.join(period), "cpu quota")),
            stat: Kept::new(path.join("cpu.stat"), "cpu throttling"),
        }
    }

    /// Cores of the quota; the inner `None` is no quota.
    fn quota(&mut self, reader: &mut Reader) -> Option<Option<f64>> {
        match &mut self.period {
            None => reader.parse_if_there(&mut self.quota, cpu_max),
            Some(period) => {
                let quota = reader.parse_if_there(&mut self.quota, |text| text.trim().parse::<i64>().ok())?;
                let Ok(quota) = u64::try_from(quota) else { return Some(None) };
                let period = reader.parse_if_there(period, number).filter(|period| *period > 0)?;
                Some(Some(quota as f64 / period as f64))
            }
        }
    }
}

/// The source for this process's group.
#[derive(Debug)]
pub(crate) struct CpuGroup {
    reader: Reader,
    locator: Locator,
    levels: Vec<Level>,
    pressure: Option<Kept>,
}

impl CpuGroup {
    pub(crate) fn new(roots: &Roots) -> Self {
        let locator = Locator::new(roots, "cpu", "cpu control group");
        Self { reader: Reader::default(), locator, levels: Vec::new(), pressure: None }
    }

    pub(crate) fn read(&mut self, now: Duration) -> Option<CgroupCpu> {
        if let Some(place) = self.locator.moved(now, &mut self.reader) {
            self.enter(place.as_ref());
        }
        if self.levels.is_empty() {
            return None;
        }
        let mut reading = CgroupCpu::default();
        for level in &mut self.levels {
            let quota = level.quota(&mut self.reader).flatten();
            reading.quota_cores = reading.quota_cores.into_iter().chain(quota).reduce(f64::min);
            if let Some((periods, throttled)) = self.reader.parse_if_there(&mut level.stat, throttling) {
                *reading.throttled_periods.get_or_insert(0) += periods;
                *reading.throttled.get_or_insert(Duration::ZERO) += throttled;
            }
        }
        if let Some(file) = &mut self.pressure {
            reading.pressure = self.reader.parse_if_there(file, pressure::parse);
        }
        Some(reading)
    }

    fn enter(&mut self, place: Option<&Place>) {
        self.levels.clear();
        self.pressure = None;
        let Some(place) = place else { return };
        self.levels.extend(place.levels.iter().map(|path| Level::new(place.version, path)));
        if place.version == Version::V2 {
            let path = place.levels.first().map(|path| path.join("cpu.pressure"));
            self.pressure =
                path.map(|path| Kept::with_hint(path, "cpu pressure of the group", pressure::HINT));
        }
    }

    pub(crate) fn unknown(&self) -> impl Iterator<Item = &Unknown> {
        self.reader.unknown()
    }
}

/// `cpu.max`: quota and period in microseconds, or `max`. The inner `None` is no quota.
fn cpu_max(text: &str) -> Option<Option<f64>> {
    if text.split_ascii_whitespace().next()? == "max" {
        return Some(None);
    }
    let [quota, period] = numbers(text)?;
    (period > 0).then(|| Some(quota as f64 / period as f64))
}

/// `cpu.stat`: version 2 counts microseconds, version 1 nanoseconds. A level without the controller shows
/// neither: it throttles nobody.
fn throttling(text: &str) -> Option<(u64, Duration)> {
    let (mut periods, mut throttled) = (0, Duration::ZERO);
    for (key, value) in keyed(text) {
        match key {
            "nr_throttled" => periods = value,
            "throttled_usec" => throttled = Duration::from_micros(value),
            "throttled_time" => throttled = Duration::from_nanos(value),
            _ => {}
        }
    }
    // The sum over a path must not overflow, whatever a file says.
    Some((periods.min(u64::from(u32::MAX) << 16), throttled))
}
