//! Open files and local ports: limits of the system that cost nothing to raise.

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, worrying};
use crate::cliffs::{Cliff, Cliffs, Kind};
use crate::picture::Picture;
use crate::signal;

pub(super) struct Descriptors;

/// Ports that one destination may be reached from, at most: all but those below 1,024.
const ALL_PORTS: f64 = 64_512.0;

const PRICE: Price = Price {
    complexity: "none",
    staleness: "none",
    money: "none",
    operations: "a restart for files; none for ports",
};

impl Rule for Descriptors {
    fn technique(&self) -> &'static str {
        "system_limits"
    }

    fn look(&self, _: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let found: Vec<Advice> = worrying(cliffs, Kind::Descriptors).map(advise).collect();
        Verdict::of(found, &[], || "files and ports are far from their limits".into())
    }
}

fn advise(cliff: &Cliff) -> Advice {
    let files = cliff.resource == "files";
    let then = match cliff.limit {
        Some(limit) if files => Some((limit * 4.0).max(65_536.0)),
        Some(limit) if limit < ALL_PORTS => Some(ALL_PORTS),
        _ => None,
    };
    let from = cliff.at.map(|at| at.load);
    let to = from.zip(then).zip(cliff.limit).map(|((from, then), limit)| from * then / limit);
    let (title, elsewhere) = if files {
        let then = then.unwrap_or(65_536.0);
        (
            format!("{then:.0} open files"),
            format!(
                "systemd: LimitNOFILE={then:.0} in the [Service] section; a shell: ulimit -n {then:.0}; then restart"
            ),
        )
    } else {
        (
            "more local ports, or more addresses".to_owned(),
            "sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"; beyond that each further address of the application's \
             servers in `targets` has as many ports again. First see that connections are kept: when \
             deepwater_edge_upstream_connects_total grows as fast as requests, the application closes them (its keep-alive)"
                .to_owned(),
        )
    };
    Advice {
        id: format!("system_limits:{}", cliff.resource),
        technique: "system_limits",
        title,
        why: cliff.text.clone(),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text: match from.zip(to) {
                Some((from, to)) => format!("they end at {to:.0} instead of {from:.0} a second"),
                None => "the limit is no longer what ends it".into(),
            },
            from,
            to,
            unit: "per second".into(),
            measured: if files {
                Measured::Signal(&signal::DESCRIPTOR_LIMIT, String::new())
            } else {
                Measured::Signal(&signal::PORT_LIMIT, String::new())
            },
        },
        price: PRICE,
        lines: None,
        elsewhere: Some(elsewhere),
        evidence: cliff.evidence.clone(),
        done: Done::NotSeen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::Level;

    #[test]
    fn files_get_a_limit_and_a_line_for_systemd() {
        let mut scene = Scene::new();
        assert!(scene.no_need(&Descriptors).contains("far from"));
        scene.cliff(Kind::Descriptors, "files", Level::Near, Some(500.0)).limit = Some(32_768.0);
        let advice = scene.advised(&Descriptors);
        assert_eq!(advice[0].gain.to, Some(2_000.0));
        assert!(advice[0].elsewhere.as_ref().unwrap().contains("LimitNOFILE=131072"));
    }

    #[test]
    fn ports_end_where_there_are_no_more() {
        let mut scene = Scene::new();
        scene.cliff(Kind::Descriptors, "ports", Level::Near, Some(500.0)).limit = Some(32_256.0);
        assert_eq!(scene.advised(&Descriptors)[0].gain.to, Some(1_000.0));
        scene.cliffs.cliffs[0].limit = Some(ALL_PORTS);
        assert_eq!(scene.advised(&Descriptors)[0].gain.to, None);
    }
}
