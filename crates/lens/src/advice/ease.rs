//! Whether it may be said that nothing is needed. That no rule has advice is not enough: something may be near its end that no
//! rule has an answer to, answers may be late or errors, or it cannot be told how far things go.

use super::untold;
use crate::cliffs::{Cliff, Cliffs, Level};
use crate::picture::Picture;
use crate::signal;

/// Times the target that 95 % of answers take, from which they are late.
const LATE: f64 = 2.0;
/// Times what they took at best in the last ten minutes, likewise: if it comes to half of the target at all.
const GROWN: f64 = 3.0;
/// Share of answers that are errors, from which the service does not work.
const BROKEN: f64 = 0.5;
/// Seconds that must have been measured to say what they took at best.
const LEAST_SECONDS: usize = 30;

/// What speaks against saying it, as a sentence; none when nothing does.
pub(super) fn trouble(picture: &Picture<'_>, cliffs: &Cliffs) -> Option<String> {
    let near = |cliff: &&Cliff| cliff.state == "pressing" || cliff.level > Level::Clear;
    if let Some(cliff) = cliffs.cliffs.iter().find(near) {
        return Some(format!("nothing to advise, though {}", cliff.text));
    }
    cliffs.load.as_ref()?;
    broken(picture).or_else(|| late(picture)).or_else(|| unknown(cliffs))
}

fn broken(picture: &Picture<'_>) -> Option<String> {
    let all = picture.now(&signal::REQUESTS, "").filter(|rate| *rate > 0.0)?;
    let share = picture.now(&signal::ERRORS, "")? / all;
    (share >= BROKEN).then(|| {
        format!(
            "nothing to advise, though {:.0} % of answers are errors (5xx): see the logs, those of the application first",
            share.min(1.0) * 100.0
        )
    })
}

fn late(picture: &Picture<'_>) -> Option<String> {
    let p95 = picture.now(&signal::LATENCY_P95, "")?;
    let target = picture.target;
    if p95 >= LATE * target {
        return Some(format!(
            "nothing to advise, though 95 % of answers take {:.0} ms, and the target is {:.0} ms (lens.target)",
            p95 * 1e3,
            target * 1e3
        ));
    }
    let mut known = picture.windows(&signal::LATENCY_P95, "");
    known.retain(|seconds| seconds.is_finite());
    if known.len() < LEAST_SECONDS {
        return None;
    }
    known.sort_by(f64::total_cmp);
    let floor = known[known.len() / 10];
    (p95 >= GROWN * floor && p95 >= target / 2.0).then(|| {
        format!(
            "nothing to advise, though 95 % of answers take {:.0} ms, and did take {:.0} ms a while ago",
            p95 * 1e3,
            floor * 1e3
        )
    })
}

fn unknown(cliffs: &Cliffs) -> Option<String> {
    let first = &untold(cliffs).next()?.text;
    Some(match &cliffs.nearest {
        None => format!("nothing to advise yet: {first}"),
        Some(_) => format!("nothing to advise now, as far as can be told: {first}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::Kind;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.all(&signal::REQUESTS, "", 77.0);
        scene.all(&signal::ERRORS, "", 0.0);
        scene.all(&signal::LATENCY_P95, "", 0.055);
        scene
    }

    fn said(scene: &Scene) -> String {
        scene.look(trouble).unwrap_or_default()
    }

    #[test]
    fn a_service_in_time_whose_cliffs_are_far_has_none() {
        let mut scene = scene();
        scene.cliff(Kind::Cpu, "machine", Level::Clear, Some(800.0));
        assert_eq!(said(&scene), "");
    }

    #[test]
    fn a_cliff_that_is_near_is_trouble_whether_there_is_advice_or_not() {
        for level in [Level::Watch, Level::Near, Level::Over] {
            let mut scene = scene();
            scene.cliff(Kind::Network, "link", level, Some(80.0));
            assert_eq!(said(&scene), "nothing to advise, though link is near its end");
            // Before the first request, too.
            scene.cliffs.load = None;
            assert!(said(&scene).contains("link is near"), "{}", said(&scene));
        }
        let mut scene = scene();
        scene.cliff(Kind::Disk, "disk", Level::Clear, None).state = "pressing";
        assert!(said(&scene).contains("disk is near"), "{}", said(&scene));
    }

    #[test]
    fn what_cannot_be_told_is_no_ease_beside_what_can() {
        let mut scene = scene();
        scene.cliff(Kind::Concurrency, "app", Level::Unknown, None).state = "cannot_tell";
        assert!(said(&scene).starts_with("nothing to advise yet: "), "{}", said(&scene));
        scene.cliff(Kind::Cpu, "machine", Level::Clear, Some(800.0));
        scene.cliffs.nearest = Some("cpu:machine".into());
        assert!(said(&scene).contains("as far as can be told: app"), "{}", said(&scene));
    }

    #[test]
    fn late_answers_are_trouble() {
        let mut late = scene();
        late.all(&signal::LATENCY_P95, "", 0.7);
        assert!(said(&late).contains("take 700 ms, and the target is 100 ms"), "{}", said(&late));
        // Within the target, and far from what it was.
        let mut grown = scene();
        grown.each(&signal::LATENCY_P95, "", (0..300).map(|at| if at < 250 { 0.02 } else { 0.09 }));
        assert!(said(&grown).contains("take 90 ms, and did take 20 ms"), "{}", said(&grown));
        let mut quick = scene();
        quick.each(&signal::LATENCY_P95, "", (0..300).map(|at| if at < 250 { 0.001 } else { 0.009 }));
        assert_eq!(said(&quick), "");
    }

    #[test]
    fn errors_are_trouble_however_fast() {
        let mut broken = scene();
        broken.all(&signal::ERRORS, "", 77.0);
        assert!(said(&broken).contains("100 % of answers are errors"), "{}", said(&broken));
        let mut few = scene();
        few.all(&signal::ERRORS, "", 7.0);
        assert_eq!(said(&few), "");
    }
}
