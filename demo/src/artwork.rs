//! The pictures of the shop, painted from product data when an instance starts.
//!
//! The same product gives the same bytes on every instance, so entity tags agree across the fleet.

mod png;
mod scene;
mod svg;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderValue;
use bytes::Bytes;

use crate::catalogue::{PRODUCTS, Product, ProductId};
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

/// Every product's picture, in two formats.
pub(crate) struct Artwork {
    svg: Vec<Picture>,
    png: Vec<Picture>,
}

impl Artwork {
    /// Paints all pictures: a few hundred kilobytes.
    pub(crate) fn paint() -> Self {
        let paint = |media_type, draw: fn(&Product, &Scene) -> Vec<u8>| {
            PRODUCTS
                .iter()
                .map(|product| Picture::new(media_type, draw(product, &Scene::of(product))))
                .collect()
        };
        Self { svg: paint("image/svg+xml", svg::draw), png: paint("image/png", png::draw) }
    }

    /// The picture in a file named like `7.svg` or `7.png`.
    pub(crate) fn by_file_name(&self, name: &str) -> Option<&Picture> {
        let (stem, extension) = name.split_once('.')?;
        let pictures = match extension {
            "svg" => &self.svg,
            "png" => &self.png,
            _ => return None,
        };
        let id: ProductId = stem.parse().ok()?;
        pictures.get(usize::try_from(id).ok()?.checked_sub(1)?)
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

    #[test]
    fn every_product_has_its_own_pictures_of_a_sensible_size() {
        let artwork = Artwork::paint();
        let mut tags = std::collections::HashSet::new();
        for picture in artwork.svg.iter().chain(&artwork.png) {
            let size = picture.bytes.len();
            assert!((1_000..20_000).contains(&size), "{:?} of {size} bytes", picture.media_type);
            assert!(tags.insert(picture.etag.clone()));
        }
        assert_eq!(tags.len(), 2 * PRODUCTS.len());
    }

    #[test]
    fn instances_paint_alike() {
        let tags =
            |artwork: Artwork| artwork.svg.into_iter().chain(artwork.png).map(|p| p.etag).collect::<Vec<_>>();
        assert_eq!(tags(Artwork::paint()), tags(Artwork::paint()));
    }

    #[test]
    fn only_pictures_have_names() {
        let artwork = Artwork::paint();
        for absent in ["0.svg", "25.svg", "1.gif", "1", "svg", ".svg", "x.png", "1.svg.png"] {
            assert!(artwork.by_file_name(absent).is_none(), "{absent}");
        }
        assert_eq!(artwork.by_file_name("24.png").unwrap().media_type, "image/png");
    }
}
