//! Lists of addresses that may or may not pass.
//!
//! The longest prefix that holds an address decides; where the same prefix is on both lists, it is denied. An address that
//! no prefix holds passes unless there is anything to allow. IPv4 addresses that come as IPv6 (`::ffff:10.0.0.1`) are
//! taken for IPv4 on both sides; other IPv6 prefixes, `::/0` too, say nothing of IPv4.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::{IpNet, Ipv4Net};

/// Networks to allow and to deny. A look costs a binary search, however many there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressList {
    v4: Ranges,
    v6: Ranges,
}

/// Where another verdict begins, in ascending order; the first begins at 0.
type Ranges = Vec<(u128, bool)>;

/// A network as the first and the last of its addresses.
#[derive(Debug, Clone, Copy)]
struct Span {
    first: u128,
    last: u128,
    allow: bool,
}

impl AddressList {
    /// Builds the list.
    pub fn new(allow: &[IpNet], deny: &[IpNet]) -> Self {
        let otherwise = allow.is_empty();
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (networks, allow) in [(allow, true), (deny, false)] {
            for network in networks {
                let (family, first, last) = match normal(*network) {
                    IpNet::V4(net) => {
                        (&mut v4, u32::from(net.network()).into(), u32::from(net.broadcast()).into())
                    }
                    IpNet::V6(net) => (&mut v6, net.network().into(), net.broadcast().into()),
                };
                family.push(Span { first, last, allow });
            }
        }
        Self { v4: flatten(v4, otherwise), v6: flatten(v6, otherwise) }
    }

    /// Whether an address may pass.
    pub fn allows(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => verdict(&self.v4, u32::from(address).into()),
            IpAddr::V6(address) => verdict(&self.v6, address.into()),
        }
    }
}

/// Reads a network, or an address alone.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok()
}

/// A network of mapped addresses as the IPv4 network that it is.
fn normal(network: IpNet) -> IpNet {
    let IpNet::V6(net) = network else { return network.trunc() };
    let mapped = net.prefix_len() >= 96;
    let v4 = net.network().to_ipv4_mapped().filter(|_| mapped);
    let v4 = v4.and_then(|address: Ipv4Addr| Ipv4Net::new(address, net.prefix_len() - 96).ok());
    v4.map_or(network.trunc(), IpNet::V4)
}

fn verdict(ranges: &Ranges, address: u128) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    // The first range begins at 0.
    ranges[after - 1].1
}

/// Networks are nested or apart, so a stack of those that are open says what holds where one begins or ends.
fn flatten(mut spans: Vec<Span>, otherwise: bool) -> Ranges {
    // Outer before inner; where both are the same, allowed before denied, so that the latter is on top.
    spans.sort_by_key(|span| (span.first, std::cmp::Reverse(span.last), !span.allow));
    let mut ranges = vec![(0, otherwise)];
    let mut open: Vec<Span> = Vec::new();
    for span in spans {
        close(&mut open, &mut ranges, otherwise, Some(span.first));
        begin(&mut ranges, span.first, span.allow);
        open.push(span);
    }
    close(&mut open, &mut ranges, otherwise, None);
    ranges
}

/// Closes what ends before `next`, innermost first; what encloses it holds from there.
fn close(open: &mut Vec<Span>, ranges: &mut Ranges, otherwise: bool, next: Option<u128>) {
    while let Some(span) = open.pop_if(|span| next.is_none_or(|next| span.last < next)) {
        let holds = open.last().map_or(otherwise, |outer| outer.allow);
        if let Some(first) = span.last.checked_add(1) {
            begin(ranges, first, holds);
        }
    }
}

fn begin(ranges: &mut Ranges, first: u128, allow: bool) {
    // What began at the same address holds nowhere.
    ranges.pop_if(|(last, _)| *last == first);
    if ranges.last().is_none_or(|(_, before)| *before != allow) {
        ranges.push((first, allow));
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use deepwater_core::random::Random;

    use super::*;

    fn networks(texts: &[&str]) -> Vec<IpNet> {
        texts.iter().map(|text| network(text).unwrap()).collect()
    }

    fn list(allow: &[&str], deny: &[&str]) -> impl Fn(&str) -> bool {
        let list = AddressList::new(&networks(allow), &networks(deny));
        move |address| list.allows(address.parse().unwrap())
    }

    #[test]
    fn the_longest_prefix_decides() {
        let allows = list(&["10.0.0.0/8", "10.1.2.3"], &["10.1.0.0/16", "10.1.2.0/24"]);
        for (address, expected) in [
            ("10.0.0.0", true),
            ("10.255.255.255", true),
            ("10.1.0.0", false),
            ("10.1.255.255", false),
            ("10.1.2.2", false),
            ("10.1.2.3", true),
            ("10.1.2.4", false),
            ("10.2.0.0", true),
            ("11.0.0.0", false),
            ("::ffff:10.0.0.1", true),
            ("::1", false),
        ] {
            assert_eq!(allows(address), expected, "{address}");
        }
    }

    #[test]
    fn what_is_on_no_list_passes_unless_something_is_allowed() {
        assert!(list(&[], &[])("203.0.113.1") && list(&[], &[])("::1"));
        assert!(list(&[], &["10.0.0.0/8"])("11.0.0.1") && !list(&[], &["10.0.0.0/8"])("10.0.0.1"));
        assert!(!list(&["10.0.0.0/8"], &[])("11.0.0.1") && !list(&["10.0.0.0/8"], &[])("2001:db8::1"));
        assert!(!list(&["10.0.0.0/8"], &["10.0.0.0/8"])("10.0.0.1"), "denied where both say so");
    }

    #[test]
    fn the_ends_of_all_addresses_are_ends() {
        let allows = list(
            &["0.0.0.0/0", "::/0"],
            &["255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "0.0.0.0"],
        );
        assert!(
            !allows("255.255.255.255")
                && allows("255.255.255.254")
                && !allows("0.0.0.0")
                && allows("0.0.0.1")
        );
        assert!(!allows("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff") && allows("::"));
    }

    #[test]
    fn mapped_networks_are_ipv4() {
        let allows = list(&[], &["::ffff:10.0.0.0/104", "2001:db8::/32"]);
        assert!(!allows("10.9.9.9") && !allows("::ffff:10.9.9.9") && allows("11.0.0.1"));
        assert!(!allows("2001:db8::1") && allows("2001:db9::1"));
        assert!(list(&[], &["::/0"])("10.0.0.1"));
    }

    /// The same as looking at every network.
    #[test]
    fn agrees_with_the_rule() {
        let seed = 0xadd;
        println!("seed {seed}");
        let mut random = Random::from_seed(seed);
        for _ in 0..2_000 {
            // Few bits that differ, so that networks nest and meet.
            let mut any = || {
                let address = Ipv6Addr::from(
                    u128::from(random.next_u64() & 0xff) << 120 | (random.next_u64() & 3) as u128,
                );
                (address, [0, 1, 3, 5, 8, 126, 127, 128][random.below(8)])
            };
            let mut some = || -> Vec<IpNet> {
                (0..4)
                    .map(|_| any())
                    .map(|(address, length)| IpNet::new(address.into(), length).unwrap())
                    .collect()
            };
            let (allow, deny) = (some(), some());
            let list = AddressList::new(&allow, &deny);
            for _ in 0..16 {
                let address = IpAddr::from(any().0);
                let longest = |networks: &[IpNet]| {
                    networks.iter().filter(|network| network.contains(&address)).map(IpNet::prefix_len).max()
                };
                let expected = match (longest(&allow), longest(&deny)) {
                    (None, None) => allow.is_empty(),
                    (allowed, denied) => allowed > denied,
                };
                assert_eq!(list.allows(address), expected, "{address} {allow:?} {deny:?}");
            }
        }
    }

    #[test]
    fn a_hundred_thousand_networks_are_few_ranges() {
        let deny: Vec<IpNet> =
            (0..100_000_u32).map(|n| IpNet::new(Ipv4Addr::from(n << 8).into(), 24).unwrap()).collect();
        let list = AddressList::new(&[], &deny);
        assert_eq!(list.v4.len(), 2, "neighbours with one verdict are one range");
        assert!(!list.allows("0.1.2.3".parse().unwrap()) && list.allows("200.0.0.1".parse().unwrap()));
    }
}
