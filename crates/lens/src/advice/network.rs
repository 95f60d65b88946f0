//! The link: fewer bytes by compression, or bytes that others send.

use super::{Advice, Done, Gain, Measured, Price, Rule, Verdict, unsure, worrying};
use crate::cliffs::{Cliffs, Kind};
use crate::picture::Picture;
use crate::signal;

pub(super) struct Network;

/// Share of segments sent again, above which the network loses more than by chance.
const LOSSY: f64 = 0.02;

const PRICE: Price = Price {
    complexity: "compressed answers differ by Accept-Encoding, and must say so in Vary",
    staleness: "with a CDN, as old as the lifetimes the application states",
    money: "CPU for compression; a CDN bills by the byte, as most links do",
    operations: "with a CDN, one more place to purge",
};

impl Rule for Network {
    fn technique(&self) -> &'static str {
        "fewer_bytes"
    }

    fn look(&self, picture: &Picture<'_>, cliffs: &Cliffs) -> Verdict {
        let Some(cliff) = worrying(cliffs, Kind::Network).next() else {
            let missing = unsure(cliffs, Kind::Network);
            return Verdict::of(Vec::new(), &missing, || "the link has room".into());
        };
        let lost = picture.minute(&signal::RETRANSMITS, "").filter(|share| *share >= LOSSY);
        if let Some(share) = lost {
            return Verdict::CannotTell(format!(
                "{:.1} % of segments are sent again: whether the link or the way behind it loses them is not seen from here; \
                 compare with `ss -ti` to a machine nearby",
                share * 100.0
            ));
        }
        let sent = picture.minute(&signal::SENT, "");
        let each = sent.zip(picture.minute(&signal::REQUESTS, "")).map(|(sent, rate)| sent / rate / 1_024.0);
        let size = each
            .filter(|size| size.is_finite())
            .map_or_else(String::new, |size| format!(" An answer has {size:.0} KiB on average."));
        Verdict::Advise(vec![Advice {
            id: "fewer_bytes:link".into(),
            technique: "fewer_bytes",
            title: "send fewer bytes over the link".into(),
            why: format!("{}.{size}", cliff.text),
            cliff: Some(cliff.id.clone()),
            gain: Gain {
                text: "what text and JSON shrink to depends on them, and what of it is text is not seen: there is no figure".into(),
                from: sent,
                to: None,
                unit: "bytes per second".into(),
                measured: Measured::at_load(picture, &signal::SENT, ""),
            },
            price: PRICE,
            lines: None,
            elsewhere: Some(
                "have the application compress text and JSON (gzip, br or zstd by Accept-Encoding; Deepwater's cache keeps one \
                 variant of each): this version does not compress itself. Images in WebP or AVIF and of the size they are \
                 shown in; Cache-Control with a long max-age and `immutable` for files with a version in their name, so that \
                 browsers keep them; then a CDN for those. Or a faster link"
                    .into(),
            ),
            evidence: cliff.evidence.clone(),
            done: Done::NotSeen,
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::advice::testing::Scene;
    use crate::cliffs::Level;

    #[test]
    fn a_full_link_gets_fewer_bytes_without_a_figure() {
        let mut scene = Scene::new();
        assert!(scene.no_need(&Network).contains("room"));
        scene.cliff(Kind::Network, "link", Level::Unknown, None).text =
            "how fast the link is is not known".into();
        assert!(scene.cannot_tell(&Network).contains("how fast"));
        scene.cliffs.cliffs.clear();
        scene.cliff(Kind::Network, "link", Level::Near, Some(250.0));
        scene.all(&signal::SENT, "", 10_240_000.0);
        scene.all(&signal::REQUESTS, "", 200.0);
        let advice = scene.advised(&Network);
        assert!(advice[0].why.contains("50 KiB"), "{}", advice[0].why);
        assert_eq!(advice[0].gain.to, None);
    }

    #[test]
    fn a_link_that_loses_is_another_matter() {
        let mut scene = Scene::new();
        scene.cliff(Kind::Network, "link", Level::Over, None);
        scene.all(&signal::RETRANSMITS, "", 0.05);
        assert!(scene.cannot_tell(&Network).contains("5.0 %"));
    }
}
