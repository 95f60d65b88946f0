//! What the process itself costs, as the kernel counts it (proc(5)).

use std::fs;

use deepwater_core::metrics::{Registry, Sink};
use serde::Serialize;

use super::Build;

/// Ticks a second in which the kernel reports CPU time: `USER_HZ`, 100 on every Linux since 2.6.
const TICKS_PER_SECOND: f64 = 100.0;

/// Resources of this process. A value the system does not tell is absent.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Usage {
    /// CPU time in user and kernel mode since the start, in seconds.
    pub(super) cpu_seconds: Option<f64>,
    /// Memory held in RAM, in bytes.
    pub(super) resident_bytes: Option<u64>,
    /// Open file descriptors.
    pub(super) open_files: Option<usize>,
}

impl Usage {
    pub(super) fn read() -> Self {
        Self {
            cpu_seconds: fs::read_to_string("/proc/self/stat").ok().and_then(|stat| cpu_seconds(&stat)),
            resident_bytes: fs::read_to_string("/proc/self/status").ok().and_then(|status| resident(&status)),
            open_files: fs::read_dir("/proc/self/fd").ok().map(Iterator::count),
        }
    }

    /// Says the metrics at a scrape.
    fn collect(self, sink: &mut Sink) {
        if let Some(seconds) = self.cpu_seconds {
            sink.fractional_counter("deepwater_process_cpu_seconds_total", "CPU time used.", &[], seconds);
        }
        let mut gauge = |name, help, value: Option<f64>| {
            if let Some(value) = value {
                sink.gauge(name, help, &[], value);
            }
        };
        let resident = self.resident_bytes.map(|bytes| bytes as f64);
        gauge("deepwater_process_resident_bytes", "Memory held in RAM.", resident);
        gauge(
            "deepwater_process_open_files",
            "Open file descriptors.",
            self.open_files.map(|files| files as f64),
        );
    }
}

/// Has every scrape say what the process costs, and which build it is.
pub(super) fn measure(metrics: &Registry, build: Build) {
    metrics.collect(move |sink| {
        Usage::read().collect(sink);
        let labels = [("version", build.version), ("commit", build.commit)];
        sink.gauge("deepwater_build_info", "Always 1; the labels name the build.", &labels, 1.0);
    });
}

/// Fields 14 and 15, counted after the command's name, which may hold spaces and parentheses.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let kernel: f64 = fields.next()?.parse().ok()?;
    Some((user + kernel) / TICKS_PER_SECOND)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_text_is_read() {
        let stat = "42 (deep) water) S 1 42 42 0 -1 4194560 900 0 0 0 150 50 0 0 20 0 3 0 100";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(resident("Name:\tdeepwater\nVmRSS:\t    2048 kB\n"), Some(2_097_152));
        assert_eq!(resident("Name:\tdeepwater\n"), None);
    }

    #[test]
    fn this_process_is_measured() {
        let usage = Usage::read();
        assert!(usage.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{usage:?}");
        let registry = Registry::default();
        measure(&registry, Build { version: "1", commit: "c" });
        let text = registry.render();
        assert!(text.contains("\ndeepwater_process_cpu_seconds_total "), "{text}");
        assert!(text.contains("\ndeepwater_build_info{version=\"1\",commit=\"c\"} 1\n"), "{text}");
    }
}
