//! A product's picture as PNG: its landscape alone, small, for carts and link previews.

use png::{BitDepth, ColorType, Encoder};

use super::scene::{RIDGES, Rgb, Scene};
use crate::catalogue::Product;

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

pub(super) fn draw(_product: &Product, scene: &Scene) -> Vec<u8> {
    let crests: Vec<[f64; RIDGES]> = (0..WIDTH)
        .map(|column| std::array::from_fn(|ridge| scene.crest(ridge, part(column, WIDTH))))
        .collect();
    let mut pixels = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
    for y in (0..HEIGHT).map(|row| part(row, HEIGHT)) {
        for (column, crests) in (0..WIDTH).zip(&crests) {
            let nearest = (0..RIDGES).rev().find(|&ridge| y >= crests[ridge]);
            let colour =
                nearest.map_or_else(|| sky_at(scene, part(column, WIDTH), y), |ridge| scene.ground[ridge]);
            pixels.extend(colour.bytes());
        }
    }
    encode(&pixels).expect("writing rows of the announced size to memory cannot fail")
}

fn part(position: u32, whole: u32) -> f64 {
    f64::from(position) / f64::from(whole)
}

fn sky_at(scene: &Scene, x: f64, y: f64) -> Rgb {
    let (sun_x, sun_y, radius) = scene.sun;
    let aspect = part(WIDTH, HEIGHT);
    let distance = ((x - sun_x) * aspect).hypot(y - sun_y);
    let light = if distance < radius { 0.85 } else { (1.0 - distance / (radius * 2.6)).max(0.0) * 0.5 };
    scene.sky[0].towards(scene.sky[1], y).towards(Rgb([1.0; 3]), light)
}

fn encode(pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, WIDTH, HEIGHT);
    encoder.set_color(ColorType::Rgb);
    encoder.set_depth(BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}
