//! Whether it may be said that nothing is needed. That no rule has advice is not enough: something may be near its end that no
//! rule has an answer to, answers may be late or errors, or it cannot be told how far things go.

use super::{Considered, untold};
use crate::cliffs::{self, Cliff, Cliffs, Level};
use crate::picture::Picture;

/// What speaks against saying it, as a sentence; none when nothing does.
pub(super) fn trouble(picture: &Picture<'_>, cliffs: &Cliffs, considered: &[Considered]) -> Option<String> {
    if let Some(broken) = cliffs::broken(picture) {
        return Some(format!("nothing to advise before this is mended: {}", broken.text));
    }
    let near = |cliff: &&Cliff| cliff.state == "pressing" || cliff.level > Level::Clear;
    if let Some(cliff) = cliffs.cliffs.iter().find(near) {
        // A rule that has looked at it and has no advice says why.
        let why = considered.iter().map(|one| &one.why).find(|why| why.starts_with(&cliff.text));
        return Some(format!("nothing to advise, though {}", why.unwrap_or(&cliff.text)));
    }
    cliffs.load.as_ref()?;
    let answers = cliffs::trouble(picture).map(|what| format!("nothing to advise, though {}", what.text));
    answers.or_else(|| unknown(cliffs))
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
    use crate::signal;

    fn scene() -> Scene {
        let mut scene = Scene::new();
        scene.all(&signal::REQUESTS, "", 77.0);
        scene.all(&signal::ERRORS, "", 0.0);
        scene.all(&signal::LATENCY_P95, "", 0.055);
        scene
    }

    fn said(scene: &Scene) -> String {
        scene.look(|picture, cliffs| trouble(picture, cliffs, &[])).unwrap_or_default()
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
    fn a_rule_that_looked_at_the_cliff_says_why_there_is_nothing() {
        let mut scene = scene();
        scene.cliff(Kind::Cpu, "machine", Level::Over, None);
        let one = |why: &str| Considered { technique: "x", verdict: "cannot_tell", why: why.into() };
        let considered = [one("no"), one("machine is near its end, and not by the application: `top` tells")];
        let said = scene.look(|picture, cliffs| trouble(picture, cliffs, &considered)).unwrap();
        assert_eq!(
            said,
            "nothing to advise, though machine is near its end, and not by the application: `top` tells"
        );
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
    fn late_answers_and_errors_are_trouble() {
        let mut late = scene();
        late.all(&signal::LATENCY_P95, "", 0.7);
        assert!(said(&late).contains("take 700 ms, and the target is 100 ms"), "{}", said(&late));
        let mut broken = scene();
        broken.all(&signal::ERRORS, "", 77.0);
        assert!(said(&broken).contains("100 % of answers are errors"), "{}", said(&broken));
        broken.all(&signal::ERRORS, "", 1.0);
        assert_eq!(said(&broken), "");
    }
}
