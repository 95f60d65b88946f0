//! What the process itself costs, as the kernel counts it (proc(5)).

use std::fs;

use deepwater_core::metrics::{Registry, Sink};
use deepwater_host::{Process, Roots};
use serde::Serialize;

use super::Build;

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
        let own = Process::open(&Roots::default(), std::process::id());
        let glance = own.and_then(|mut own| own.glance()).ok();
        Self {
            cpu_seconds: glance.map(|glance| glance.cpu.as_secs_f64()),
            resident_bytes: glance.map(|glance| glance.resident_bytes),
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

#[cfg(test)]
mod tests {
    use super::*;

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
