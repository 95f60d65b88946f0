//! Numbers that find the edges: tiny, huge, round and ordinary ones, all finite.

use proptest::prelude::*;

/// Any finite number, ordinary ones more often than they come up by chance.
pub(crate) fn number() -> impl Strategy<Value = f64> {
    prop_oneof![
        3 => 0.0..1_000.0_f64,
        1 => -1_000.0..1_000.0_f64,
        1 => (0_u32..20).prop_map(f64::from),
        1 => prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        1 => prop::sample::select(vec![f64::MAX, f64::MIN_POSITIVE, 1.0 - f64::EPSILON, 1e154, 1e-154, f64::MIN]),
    ]
}
