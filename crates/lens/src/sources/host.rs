//! What the machine says, and the application's processes as far as they run on it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use deepwater_host::{Family, Host, HostReading, Rate, Roots, Space};

use super::Unknown;
use super::clients::Clients;
use super::segments::Segments;
use crate::config::{Config, System};
use crate::facts::{Application, Facts};
use crate::signal::{self, Signal};
use crate::store::Samples;

/// The machine, read once a tick.
pub(crate) struct Machine {
    host: Host,
    roots: Roots,
    rates: BTreeMap<(&'static str, String), Rate>,
    /// What each interface sends and receives.
    interfaces: BTreeMap<String, [Rate; 2]>,
    families: BTreeMap<String, Family>,
    shared: BTreeMap<String, Shared>,
    segments: Segments,
    clients: Clients,
    unknown: Vec<Unknown>,
    /// Seconds that were measured so far: the host crate's clock.
    now: Duration,
}

impl Machine {
    pub(crate) fn new(system: &System) -> Self {
        let roots = Roots { proc: system.proc.clone(), sys: system.sys.clone() };
        Self {
            host: Host::new(roots.clone()),
            roots,
            rates: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            families: BTreeMap::new(),
            shared: BTreeMap::new(),
            segments: Segments::default(),
            clients: Clients::default(),
            unknown: Vec::new(),
            now: Duration::ZERO,
        }
    }

    /// Measures what the machine did in the `seconds` since the last time.
    pub(crate) fn read(&mut self, facts: &Facts, config: &Config, seconds: f64) -> Samples {
        let mut samples = Samples::default();
        let out = &mut samples;
        self.now += Duration::from_secs_f64(seconds);
        self.unknown.clear();
        let reading = self.host.read(self.now);
        self.cpu(out, &reading, config);
        self.memory(out, &reading);
        self.network(out, &reading, config);
        self.disk(out, &reading);
        self.clients.read(out, facts);
        self.host.finder.look(self.now);
        self.ports(out, &reading);
        let known = |name: &String| facts.applications.iter().any(|application| application.name == *name);
        self.families.retain(|name, _| known(name));
        self.shared.retain(|name, _| known(name));
        for application in &facts.applications {
            self.application(out, application);
        }
        samples
    }

    /// What cannot be measured here.
    pub(crate) fn unknown(&self) -> Vec<Unknown> {
        let host = self
            .host
            .unknown()
            .map(|unknown| Unknown { what: unknown.what.to_owned(), why: unknown.to_string() });
        host.chain(self.unknown.iter().chain(self.clients.unknown()).cloned()).collect()
    }

    /// Puts the growth of a counter in a second.
    fn rate(&mut self, out: &mut Samples, signal: &'static Signal, label: &str, counter: Option<u64>) {
        let now = self.now;
        let rate = self.rates.entry((signal.name, label.to_owned())).or_default();
        put(out, signal, label, rate.per_second(now, counter));
    }

    /// Puts the growth of a time in a second: a share, or cores.
    fn share(&mut self, signal: &'static Signal, label: &str, time: Option<Duration>) -> Option<f64> {
        let now = self.now;
        self.rates.entry((signal.name, label.to_owned())).or_default().seconds_per_second(now, time)
    }

    fn cpu(&mut self, out: &mut Samples, reading: &HostReading, config: &Config) {
        let cpu = &reading.cpu;
        let cores = config.limits.cores.map(f64::from);
        put(out, &signal::CPU_CORES, "", least(cores, cpu.effective_cores));
        let busy = self.share(&signal::CPU_BUSY, "", cpu.all.map(|all| all.user + all.system));
        put(out, &signal::CPU_BUSY, "", busy);
        let steal = self.share(&signal::CPU_STEAL, "", cpu.all.map(|all| all.steal));
        put(out, &signal::CPU_STEAL, "", steal);
        let pressure = self.share(&signal::CPU_PRESSURE, "", cpu.pressure.map(|pressure| pressure.some));
        put(out, &signal::CPU_PRESSURE, "", pressure);
        let throttled = cpu.cgroup.as_ref().and_then(|group| group.throttled);
        let throttled = self.share(&signal::CPU_THROTTLED, "", throttled);
        put(out, &signal::CPU_THROTTLED, "", throttled);
    }

    fn memory(&mut self, out: &mut Samples, reading: &HostReading) {
        let memory = &reading.memory;
        let limit = memory.limit_bytes.map(|bytes| bytes as f64);
        put(out, &signal::MEMORY_LIMIT, "", limit);
        let headroom = memory.headroom_bytes.map(|bytes| bytes as f64);
        put(
            out,
            &signal::MEMORY_USED,
            "",
            limit.zip(headroom).map(|(limit, headroom)| (limit - headroom).max(0.0)),
        );
        let pressure =
            self.share(&signal::MEMORY_PRESSURE, "", memory.pressure.map(|pressure| pressure.some));
        put(out, &signal::MEMORY_PRESSURE, "", pressure);
        let reclaim = &memory.reclaim;
        let refaults =
            [reclaim.refaults_anon, reclaim.refaults_file].into_iter().flatten().reduce(u64::saturating_add);
        self.rate(out, &signal::REFAULTS, "", refaults);
        self.rate(out, &signal::MAJOR_FAULTS, "", reclaim.major_faults);
        self.rate(out, &signal::OOM_KILLS, "", reclaim.oom_kills);
        let swap = memory.swap_total_bytes.zip(memory.swap_free_bytes);
        put(out, &signal::SWAP_USED, "", swap.map(|(total, free)| total.saturating_sub(free) as f64));
    }

    fn network(&mut self, out: &mut Samples, reading: &HostReading, config: &Config) {
        let network = &reading.network;
        let now = self.now;
        let (mut sent, mut received, mut speed) = (None, None, None);
        let interfaces = || network.interfaces.iter().filter(|interface| !interface.loopback);
        // Containers come and go with theirs.
        self.interfaces.retain(|name, _| interfaces().any(|interface| interface.name == *name));
        for interface in interfaces() {
            let [out, back] = self.interfaces.entry(interface.name.clone()).or_default();
            // The busiest: what a bridge passes on is the same bytes once more.
            sent = most(sent, out.per_second(now, Some(interface.sent_bytes)));
            received = most(received, back.per_second(now, Some(interface.received_bytes)));
            // The slowest that is told of: the one that is full first.
            speed = least(speed, interface.speed_bits_per_second.map(|bits| bits as f64 / 8.0));
        }
        put(out, &signal::NET_SENT, "", sent);
        put(out, &signal::NET_RECEIVED, "", received);
        put(
            out,
            &signal::NET_SPEED,
            "",
            least(config.limits.network.map(deepwater_core::config::Bitrate::bytes), speed),
        );
        let tcp = &network.tcp;
        put(out, &signal::RETRANSMITS, "", self.segments.again(now, tcp.segments_out.zip(tcp.retransmitted)));
        self.rate(out, &signal::ACCEPT_OVERFLOWS, "", network.tcp.listen_overflows);
        self.rate(out, &signal::SOFTNET_DROPS, "", network.softnet_dropped);
        put(out, &signal::DESCRIPTORS, "", network.descriptors.map(|count| count as f64));
        put(out, &signal::DESCRIPTOR_LIMIT, "", network.descriptor_limit.map(|count| count as f64));
    }

    fn disk(&mut self, out: &mut Samples, reading: &HostReading) {
        let pressure =
            self.share(&signal::IO_PRESSURE, "", reading.disk.pressure.map(|pressure| pressure.some));
        put(out, &signal::IO_PRESSURE, "", pressure);
        match Space::of(std::path::Path::new(".")) {
            Ok(space) => {
                out.put(&signal::DISK_FREE, "", space.available_bytes as f64);
                out.put(&signal::DISK_SIZE, "", space.total_bytes as f64);
            }
            Err(error) => self.unknown.push(Unknown { what: "space on disk".into(), why: error.to_string() }),
        }
    }

    fn ports(&mut self, out: &mut Samples, reading: &HostReading) {
        let sockets = self.host.finder.sockets();
        let used =
            sockets.and_then(|sockets| sockets.busiest.as_ref()).map(|busiest| f64::from(busiest.ports));
        put(out, &signal::PORTS_USED, "", used);
        let range = reading.network.ephemeral_ports;
        put(
            out,
            &signal::PORT_LIMIT,
            "",
            range.map(|(first, last)| f64::from(last.saturating_sub(first)) + 1.0),
        );
    }

    /// The processes that serve the application's targets on this machine.
    fn application(&mut self, out: &mut Samples, application: &Application) {
        let name = &application.name;
        let local = application.targets.iter().filter_map(|target| local_port(target));
        let mut pids = Vec::new();
        for port in local {
            match self.host.finder.listeners(port) {
                Ok(found) => pids.extend(found),
                Err(why) => self.unknown.push(Unknown {
                    what: format!("processes of {name}"),
                    why: format!("what listens on port {port} {why}"),
                }),
            }
        }
        pids.sort_unstable();
        pids.dedup();
        if pids.is_empty() {
            let why = "none of its targets is a process of this machine that may be looked at".to_owned();
            self.unknown.push(Unknown { what: format!("processes of {name}"), why });
            self.families.remove(name);
            self.shared.remove(name);
            return;
        }
        let family = self.families.entry(name.clone()).or_default();
        family.set(&self.roots, &pids);
        let reading = family.read(self.now);
        let cpu = self.share(&signal::APP_CPU, name, Some(reading.cpu));
        put(out, &signal::APP_CPU, name, cpu);
        put(out, &signal::APP_THREAD, name, reading.hottest.map(|(_, thread)| thread.cpu));
        let delay = self.share(&signal::APP_DELAY, name, reading.run_delay);
        put(out, &signal::APP_DELAY, name, delay);
        let shared = self.shared.entry(name.clone()).or_default();
        let memory = shared.memory(reading.resident_bytes, reading.proportional_bytes);
        out.put(&signal::APP_MEMORY, name, memory as f64);
        out.put(&signal::APP_THREADS, name, reading.threads as f64);
    }
}

/// What processes share with each other and with others: counted in the resident size of each. The proportional size tells,
/// but it is dear to read, so it is some seconds old; the resident size tells what has changed since.
#[derive(Default)]
struct Shared {
    proportional: u64,
    bytes: u64,
}

impl Shared {
    fn memory(&mut self, resident: u64, proportional: Option<u64>) -> u64 {
        if let Some(read) = proportional.filter(|read| *read != self.proportional) {
            (self.proportional, self.bytes) = (read, resident.saturating_sub(read));
        }
        resident.saturating_sub(self.bytes)
    }
}

fn put(out: &mut Samples, signal: &'static Signal, label: &str, value: Option<f64>) {
    if let Some(value) = value {
        out.put(signal, label, value);
    }
}

/// The larger of what is known.
fn most(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    [a, b].into_iter().flatten().reduce(f64::max)
}

/// The smaller of what is known.
fn least(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    [a, b].into_iter().flatten().reduce(f64::min)
}

/// The port of a target on this machine, as far as its address says so.
fn local_port(target: &str) -> Option<u16> {
    let authority = target.split_once("://").map_or(target, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or(authority);
    if let Ok(address) = authority.parse::<SocketAddr>() {
        return address.ip().is_loopback().then_some(address.port());
    }
    let (host, port) = authority.rsplit_once(':')?;
    (host == "localhost").then(|| port.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_grows_with_the_resident_size_between_two_readings_of_what_is_shared() {
        let mut shared = Shared::default();
        assert_eq!(shared.memory(100, None), 100);
        assert_eq!(shared.memory(100, Some(80)), 80);
        assert_eq!(shared.memory(150, Some(80)), 130);
        assert_eq!(shared.memory(160, Some(150)), 150);
        assert_eq!(shared.memory(5, Some(150)), 0, "others have taken over what was shared");
    }

    #[test]
    fn targets_of_this_machine_are_known_by_their_address() {
        for (target, port) in [
            ("127.0.0.1:3000", Some(3000)),
            ("http://127.0.0.1:3000/", Some(3000)),
            ("http://localhost:81", Some(81)),
            ("[::1]:3000", Some(3000)),
            ("10.0.0.7:3000", None),
            ("https://app.internal", None),
            ("unix:/run/app.sock", None),
            ("", None),
        ] {
            assert_eq!(local_port(target), port, "{target}");
        }
    }
}
