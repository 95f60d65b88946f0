//! A disk that fills: whatever the load, it ends on a day that can be told.

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, unsure, worrying};
use crate::cliffs::{Cliff, Cliffs, Kind};
use crate::picture::Picture;
use crate::signal;

pub(super) struct Disk;

const PRICE: Price = Price {
    complexity: "none",
    staleness: "none",
    money: "a larger disk, or none if something can go",
    operations: "rules for what is kept and for how long",
};

impl Rule for Disk {
    fn technique(&self) -> &'static str {
        "disk_space"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let found: Vec<Advice> = worrying(cliffs, Kind::Disk).map(|cliff| advise(picture, cliff)).collect();
        let mut missing = unsure(cliffs, Kind::Disk);
        if !cliffs.cliffs.iter().any(|cliff| cliff.kind == Kind::Disk) {
            missing.push("how full the disk is is not known".into());
        }
        Verdict::of(found, &missing, || "the disk does not fill".into())
    }
}

fn advise(picture: &Picture<'_>, cliff: &Cliff) -> Advice {
    // As fast as it fills now, half of what is free lasts for half of the time.
    let days = cliff.within.map(|within| within.low / 2.0 / 86_400.0);
    let when = days.map_or_else(|| "now".to_owned(), |days| format!("within {days:.1} days"));
    Advice {
        id: "disk_space:disk".into(),
        technique: "disk_space",
        title: format!("make room on the disk {when}"),
        why: cliff.text.clone(),
        cliff: Some(cliff.id.clone()),
        gain: Gain {
            text: "what is freed lasts as long as what it filled with took".into(),
            from: picture.minute(&signal::DISK_FREE, ""),
            to: None,
            unit: "bytes free".into(),
            measured: Measured::Signal(&signal::DISK_FREE, String::new()),
        },
        price: PRICE,
        lines: None,
        elsewhere: Some(
            "what grows: du -xh --max-depth=3 / | sort -h | tail. Mostly logs (logrotate with a size; the access log can take \
             a `sample` of requests in [edge.access_log]), old releases, WAL that a replication slot holds (SELECT slot_name, \
             active, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) FROM pg_replication_slots), tables that are never \
             emptied"
                .into(),
        ),
        evidence: cliff.evidence.clone(),
        done: Done::NotSeen,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::{Level, Range};

    #[test]
    fn a_disk_that_fills_gets_room_in_time() {
        let mut scene = Scene::new();
        assert!(scene.cannot_tell(&Disk).contains("not known"));
        scene.cliff(Kind::Disk, "disk", Level::Unknown, None).text =
            "not watched for half an hour yet".into();
        assert!(scene.cannot_tell(&Disk).contains("half an hour"));
        scene.cliffs.cliffs[0].level = Level::Clear;
        assert!(scene.no_need(&Disk).contains("does not fill"));
        scene.cliffs.cliffs.clear();
        scene.cliff(Kind::Disk, "disk", Level::Watch, None).within =
            Some(Range { value: 400_000.0, low: 345_600.0, high: 500_000.0, confidence: 0.9 });
        assert!(scene.advised(&Disk)[0].title.contains("within 2.0 days"));
        scene.cliffs.cliffs[0].within = None;
        assert!(scene.advised(&Disk)[0].title.contains("now"));
    }
}
