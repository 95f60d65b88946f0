//! Separate models for reading and writing (CQRS): almost never. The rule says what is simpler and does the same here.

use super::{Rule, Verdict};
use crate::cliffs::Cliffs;
use crate::picture::Picture;

pub(super) struct Cqrs;

impl Rule for Cqrs {
    fn technique(&self) -> &'static str {
        "cqrs"
    }

    fn look(&self, picture: &Picture<'_>, _: &Cliffs) -> Verdict {
        let cached = picture.facts.routes.iter().any(|route| route.cached);
        let first =
            if cached { "the cache, indexes and a replica" } else { "a cache, indexes and a replica" };
        Verdict::NoNeed(format!(
            "{first} speed up reads without a second model of the data to keep in step. It would be different if reads needed \
             another shape than any index or view gives (search, reports over everything), and could be seconds old"
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
        assert!(scene.no_need(&Cqrs).starts_with("a cache"));
        scene.route("shop", "app").cached = true;
        assert!(scene.no_need(&Cqrs).starts_with("the cache") && scene.no_need(&Cqrs).contains("search"));
    }
}
