//! Names to addresses.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::time::{Duration, Instant};

use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::time::timeout;

/// The addresses of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// All of them, IPv4 and IPv6.
    pub addresses: Vec<IpAddr>,
    /// How long they may be used before asking again.
    pub ttl: Duration,
}

/// Why a name has no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ResolveError(pub String);

/// A lookup under way.
pub type ResolveFuture<'a> = Pin<Box<dyn Future<Output = Result<Resolved, ResolveError>> + Send + 'a>>;

/// Where the addresses of names come from.
pub trait Resolve: Send + Sync {
    /// Looks up all addresses of a host.
    fn resolve<'a>(&'a self, host: &'a str) -> ResolveFuture<'a>;
}

/// The system's hosts file, then the DNS servers the system is configured for. Both files are read at each
/// lookup, so that a change to them is taken up.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

/// No lookup takes longer.
const DEADLINE: Duration = Duration::from_secs(10);
/// When the hosts file is read again.
const HOSTS_TTL: Duration = Duration::from_secs(10);

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> ResolveFuture<'a> {
        Box::pin(async move {
            if let Some(resolved) = from_hosts(host) {
                return Ok(resolved);
            }
            match timeout(DEADLINE, from_dns(host)).await {
                Ok(answer) => answer,
                Err(_) => Err(ResolveError("no answer from DNS".into())),
            }
        })
    }
}

/// As in `hosts: files dns` of nsswitch.conf: what the file says is all there is, and no server is asked.
fn from_hosts(host: &str) -> Option<Resolved> {
    let hosts = Hosts::from_system().ok()?;
    let name = Name::from_utf8(host).ok()?.to_lowercase();
    let records = [RecordType::A, RecordType::AAAA]
        .into_iter()
        .filter_map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)));
    let addresses: Vec<IpAddr> = records
        .flat_map(|lookup| {
            lookup.answers().iter().filter_map(|record| record.data.ip_addr()).collect::<Vec<_>>()
        })
        .collect();
    (!addresses.is_empty()).then_some(Resolved { addresses, ttl: HOSTS_TTL })
}

async fn from_dns(host: &str) -> Result<Resolved, ResolveError> {
    use hickory_resolver::net::{DnsError, NetError};
    let refused = |error: NetError| match error {
        NetError::Dns(DnsError::NoRecordsFound(_)) => {
            ResolveError(format!("DNS knows no address of `{host}`: is it spelt right?"))
        }
        error => ResolveError(error.to_string()),
    };
    let mut builder = TokioResolver::builder_tokio().map_err(refused)?;
    let options = builder.options_mut();
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // Every answer is asked for when the one before has expired.
    options.cache_size = 0;
    let lookup = builder.build().map_err(refused)?.lookup_ip(host).await.map_err(refused)?;
    let ttl = lookup.valid_until().saturating_duration_since(Instant::now());
    Ok(Resolved { addresses: lookup.iter().collect(), ttl })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_is_loopback() {
        let resolved = SystemResolver.resolve("localhost").await.unwrap();
        assert!(!resolved.addresses.is_empty());
        assert!(resolved.addresses.iter().all(IpAddr::is_loopback), "{resolved:?}");
    }
}
