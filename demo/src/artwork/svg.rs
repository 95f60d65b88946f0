//! A product's picture as SVG: its landscape, and the outline of what is sold in front of it.

use std::fmt::Write;

use maud::{PreEscaped, html};

use super::scene::{RIDGES, Scene};
use crate::catalogue::{Category, Product};

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 360.0;
const CREST_POINTS: u32 = 32;

pub(super) fn draw(product: &Product, scene: &Scene) -> Vec<u8> {
    let (sun_x, sun_y, sun_radius) = scene.sun;
    let point = |part: f64, whole: f64| format!("{:.1}", part * whole);
    // Elements end in braces, not in a semicolon: XML, unlike HTML, has no void elements.
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 480 360" role="img" aria-label=(product.name) {
            defs {
                linearGradient id="sky" x1="0" y1="0" x2="0" y2="1" {
                    stop offset="0" stop-color=(scene.sky[0].hex()) {}
                    stop offset="1" stop-color=(scene.sky[1].hex()) {}
                }
                radialGradient id="glow" {
                    stop offset="0" stop-color="#fff" stop-opacity=".9" {}
                    stop offset="1" stop-color="#fff" stop-opacity="0" {}
                }
            }
            rect width="480" height="360" fill="url(#sky)" {}
            circle cx=(point(sun_x, WIDTH)) cy=(point(sun_y, HEIGHT)) r=(point(sun_radius * 2.6, HEIGHT))
                fill="url(#glow)" {}
            circle cx=(point(sun_x, WIDTH)) cy=(point(sun_y, HEIGHT)) r=(point(sun_radius, HEIGHT))
                fill="#fff" opacity=".85" {}
            @for ridge in 0..RIDGES {
                path d=(ridge_path(scene, ridge)) fill=(scene.ground[ridge].hex()) {}
            }
            g fill="none" stroke="#fff" stroke-width="7" stroke-linecap="round" stroke-linejoin="round"
                transform="translate(180 178)" opacity=".95" {
                (PreEscaped(outline(product.category)))
            }
        }
    }
    .into_string()
    .into_bytes()
}

fn ridge_path(scene: &Scene, ridge: usize) -> String {
    let mut path = format!("M0 {HEIGHT}");
    for step in 0..=CREST_POINTS {
        let x = f64::from(step) / f64::from(CREST_POINTS);
        let y = scene.crest(ridge, x) * HEIGHT;
        write!(path, "L{:.0} {y:.1}", x * WIDTH).expect("a String takes what is written to it");
    }
    path + &format!("L{WIDTH} {HEIGHT}Z")
}

/// What the category is known by, drawn in a square of 120.
fn outline(category: Category) -> &'static str {
    match category {
        Category::Shelter => {
            r#"<path d="M60 14 8 106h104zM60 14l-6-10M60 14l6-10M60 50l-18 56M60 50l18 56"/>"#
        }
        Category::Light => {
            r#"<path d="M38 40h44l8 52H30zM44 40V28h32v12M48 28c0-26 24-26 24 0M26 106h68M60 54v22"/>"#
        }
        Category::Kitchen => {
            r#"<path d="M22 48h66v40a16 16 0 0 1-16 16H38a16 16 0 0 1-16-16zM88 56h8a14 14 0 0 1 0 28h-8M42 32c-6-8 6-12 0-22M66 32c-6-8 6-12 0-22"/>"#
        }
        Category::Packs => {
            r#"<path d="M30 106V48a30 30 0 0 1 60 0v58zM46 20V12h28v8M42 74h36v32H42zM42 88h36M44 54h32"/>"#
        }
        Category::Tools => r#"<path d="m24 106 52-70M62 26l22-14c14 10 22 24 22 40l-22 2zM62 26l22 28"/>"#,
        Category::Comfort => {
            r#"<path d="M6 30c20 70 88 70 108 0M6 30l-4 76M114 30l4 76M24 62c22 18 50 18 72 0M44 78l4-10M60 82V72M76 78l-4-10"/>"#
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::PRODUCTS;

    #[test]
    fn pictures_are_well_formed_xml() {
        for product in &PRODUCTS {
            let picture = String::from_utf8(draw(product, &Scene::of(product))).unwrap();
            let mut open = Vec::new();
            for tag in picture.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
                let name = tag.split(' ').next().unwrap();
                if let Some(closed) = name.strip_prefix('/') {
                    assert_eq!(open.pop(), Some(closed), "{}", product.name);
                } else if !tag.ends_with('/') {
                    open.push(name);
                }
            }
            assert!(open.is_empty(), "{}: {open:?}", product.name);
        }
    }
}
