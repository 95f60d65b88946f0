//! A product's picture as PNG: its landscape alone, small, for carts and link previews.

use png::{BitDepth, ColorType, Encoder};

use super::scene::{RIDGES, Rgb, Scene};
use crate::catalogue::Product;

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

pub(super) fn draw(_product: &Product, scene: &Scene) -> Vec<u8> {
    let mut pixels = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
    for row in 0..HEIGHT {
        for column in 0..WIDTH {
            let (x, y) = (f64::from(column) / f64::from(WIDTH), f64::from(row) / f64::from(HEIGHT));
            pixels.extend(colour_at(scene, x, y).bytes());
        }
    }
    encode(&pixels).expect("writing rows of the announced size to memory cannot fail")
}

fn colour_at(scene: &Scene, x: f64, y: f64) -> Rgb {
    if let Some(nearest) = (0..RIDGES).rev().find(|&ridge| y >= scene.crest(ridge, x)) {
        return scene.ground[nearest];
    }
    let (sun_x, sun_y, radius) = scene.sun;
    let aspect = f64::from(WIDTH) / f64::from(HEIGHT);
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
