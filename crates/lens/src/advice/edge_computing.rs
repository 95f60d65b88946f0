//! Running the application near its users: for a global audience to whom a tenth of a second sells. That cannot be seen from
//! one place, and is rarely so; the rule says what it would have to be.

use super::{Rule, Verdict};
use crate::cliffs::Cliffs;
use crate::picture::Picture;
use crate::signal;

pub(super) struct EdgeComputing;

impl Rule for EdgeComputing {
    fn technique(&self) -> &'static str {
        "edge_computing"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        let own = picture.minute(&signal::LATENCY_P95, "").map_or_else(String::new, |p95| {
            format!(
                " (here 95 % are answered within {:.0} ms, whatever the way to the users adds)",
                p95 * 1e3
            )
        });
        Verdict::NoNeed(format!(
            "a CDN for files and a cache for pages come first and keep one copy of the data{own}. It would be different if \
             many users were a continent away, a tenth of a second sold more, and what they read could be old"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;

    #[test]
    fn it_is_not_needed_and_it_says_when_it_would_be() {
        let mut scene = Scene::new();
        assert!(scene.no_need(&EdgeComputing).contains("continent"));
        scene.all(&signal::LATENCY_P95, "", 0.08);
        assert!(scene.no_need(&EdgeComputing).contains("80 ms"));
    }
}
