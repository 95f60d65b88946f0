//! Random numbers that are the same in every run.

/// xorshift64*: even gaps need no better generator. One seed, so every proxy sees the same schedule.
pub struct Random(u64);

impl Default for Random {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl Random {
    /// Another sequence for each seed.
    #[allow(dead_code)] // Of the programs that share this file, some want the same one always.
    pub fn seeded(seed: u64) -> Self {
        let mixed = (seed ^ Self::default().0).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        Self((mixed ^ (mixed >> 31)).max(1))
    }

    /// Even in [0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let bits = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40;
        bits as f64 / (1_u64 << 24) as f64
    }
}
