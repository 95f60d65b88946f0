//! The pictures of the shop, painted from product data.
//!
//! The same product gives the same bytes on every instance, so entity tags agree across the fleet.

mod png;
mod scene;
mod svg;

use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderValue;
use bytes::Bytes;

use crate::catalogue::{self, PRODUCTS, Product};
use scene::Scene;

/// When the pictures were last changed: 2026-03-01T08:00:00Z.
const PUBLISHED_UNIX_SECONDS: u64 = 1_772_352_000;

/// A picture as it is sent.
pub(crate) struct Picture {
    pub(crate) media_type: HeaderValue,
    pub(crate) bytes: Bytes,
    /// A strong entity tag, with its quotes.
    pub(crate) etag: String,
}

/// Every product's picture, in two formats, each painted when it is first asked for.
#[derive(Default)]
pub(crate) struct Artwork {
    svg: [OnceLock<Picture>; PRODUCTS.len()],
    png: [OnceLock<Picture>; PRODUCTS.len()],
}

impl Artwork {
    /// The picture in a file named like `7.svg` or `7.png`.
    pub(crate) fn by_file_name(&self, name: &str) -> Option<&Picture> {
        let (stem, extension) = name.split_once('.')?;
        let product = catalogue::find(stem.parse().ok()?)?;
        let paint = |media_type, draw: fn(&Product, &Scene) -> Vec<u8>| {
            Picture::new(media_type, draw(product, &Scene::of(product)))
        };
        let position = product.position();
        match extension {
            "svg" => Some(self.svg[position].get_or_init(|| paint("image/svg+xml", svg::draw))),
            "png" => Some(self.png[position].get_or_init(|| paint("image/png", png::draw))),
            _ => None,
        }
    }

    pub(crate) fn last_modified() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(PUBLISHED_UNIX_SECONDS)
    }
}

impl Picture {
    fn new(media_type: &'static str, bytes: Vec<u8>) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bytes);
        let tag: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Self {
            media_type: HeaderValue::from_static(media_type),
            bytes: bytes.into(),
            etag: format!("\"{tag}\""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> impl Iterator<Item = String> {
        PRODUCTS.iter().flat_map(|product| ["svg", "png"].map(|kind| format!("{}.{kind}", product.id)))
    }

    #[test]
    fn every_product_has_its_own_pictures_of_a_sensible_size() {
        let artwork = Artwork::default();
        let mut tags = std::collections::HashSet::new();
        for name in names() {
            let picture = artwork.by_file_name(&name).unwrap();
            let size = picture.bytes.len();
            assert!((1_000..20_000).contains(&size), "{name} of {size} bytes");
            assert!(tags.insert(picture.etag.clone()));
        }
    }

    #[test]
    fn instances_paint_alike() {
        let (here, there) = (Artwork::default(), Artwork::default());
        for name in names() {
            let tag = |artwork: &Artwork| artwork.by_file_name(&name).map(|picture| picture.etag.clone());
            assert_eq!(tag(&here), tag(&there));
        }
    }

    #[test]
    fn only_pictures_have_names() {
        let artwork = Artwork::default();
        for absent in ["0.svg", "25.svg", "1.gif", "1", "svg", ".svg", "x.png", "1.svg.png"] {
            assert!(artwork.by_file_name(absent).is_none(), "{absent}");
        }
        assert_eq!(artwork.by_file_name("24.png").unwrap().media_type, "image/png");
    }
}
