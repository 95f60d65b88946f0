//! The landscape behind a product: a sky, a sun and three ridges, each product's own.

use std::f64::consts::TAU;

use crate::catalogue::{Category, Product};
use crate::random::SplitMix64;

/// How many ridges stand one behind the other.
pub(super) const RIDGES: usize = 3;

/// A landscape in a unit square, y pointing down.
pub(super) struct Scene {
    /// Colours from the top of the sky to its foot.
    pub(super) sky: [Rgb; 2],
    /// Colours of the ridges, far to near.
    pub(super) ground: [Rgb; RIDGES],
    pub(super) sun: (f64, f64, f64),
    ridges: [[Wave; 3]; RIDGES],
}

#[derive(Debug, Clone, Copy)]
struct Wave {
    height: f64,
    frequency: f64,
    phase: f64,
}

/// A colour, each part from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rgb(pub(super) [f64; 3]);

impl Scene {
    pub(super) fn of(product: &Product) -> Self {
        let mut random = SplitMix64::new(u64::from(product.id));
        let hue = base_hue(product.category) + random.between(-16.0, 16.0);
        let mut wave = |height: f64, frequency: f64| Wave {
            height: height * random.between(0.6, 1.3),
            frequency: frequency * random.between(0.7, 1.3),
            phase: random.between(0.0, TAU),
        };
        let ridges = std::array::from_fn(|_| [wave(0.055, 1.1), wave(0.025, 2.7), wave(0.008, 7.0)]);
        let sun = (random.between(0.18, 0.82), random.between(0.16, 0.34), random.between(0.06, 0.1));
        Self {
            sky: [Rgb::from_hsl(hue, 0.55, 0.72), Rgb::from_hsl(hue + 38.0, 0.75, 0.88)],
            ground: std::array::from_fn(|depth| {
                Rgb::from_hsl(hue - 8.0 * depth as f64, 0.32, 0.58 - 0.15 * depth as f64)
            }),
            sun,
            ridges,
        }
    }

    /// The crest of a ridge at `x`: 0 is the top of the picture, 1 its foot.
    pub(super) fn crest(&self, ridge: usize, x: f64) -> f64 {
        let waves = self.ridges[ridge].iter();
        let swell: f64 = waves.map(|w| w.height * (TAU * w.frequency * x + w.phase).sin()).sum();
        0.52 + 0.15 * ridge as f64 + swell
    }
}

/// Each shelf of the shop has its light, in degrees around the colour wheel.
fn base_hue(category: Category) -> f64 {
    match category {
        Category::Shelter => 150.0,
        Category::Light => 32.0,
        Category::Kitchen => 12.0,
        Category::Packs => 205.0,
        Category::Tools => 235.0,
        Category::Comfort => 330.0,
    }
}

impl Rgb {
    /// Hue in degrees, saturation and lightness from 0 to 1 (CSS Color 4 §7).
    fn from_hsl(hue: f64, saturation: f64, lightness: f64) -> Self {
        let reach = saturation * lightness.min(1.0 - lightness);
        let part = |n: f64| {
            let k = (n + hue / 30.0).rem_euclid(12.0);
            lightness - reach * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0)
        };
        Self([part(0.0), part(8.0), part(4.0)])
    }

    /// The colour a `share` of the way to `other`.
    pub(super) fn towards(self, other: Self, share: f64) -> Self {
        Self(std::array::from_fn(|i| self.0[i] + (other.0[i] - self.0[i]) * share))
    }

    pub(super) fn bytes(self) -> [u8; 3] {
        self.0.map(|part| (part.clamp(0.0, 1.0) * 255.0).round() as u8)
    }

    pub(super) fn hex(self) -> String {
        let [r, g, b] = self.bytes();
        format!("#{r:02x}{g:02x}{b:02x}")
    }
}
