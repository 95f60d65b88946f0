//! The targets to choose from, as of one moment: what control publishes and pickers read.

use std::sync::Arc;

use crate::balance::Balance;
use crate::target::{Target, TargetId};

/// An immutable set of targets with their effective weights, in the configured order.
///
/// Identities and weights lie side by side, so that a balancer that looks at all of them walks memory in
/// order and touches a target only for its load.
#[derive(Debug)]
pub(crate) struct Rotation {
    /// Changes with every publication.
    pub(crate) version: u64,
    /// How to choose.
    pub(crate) balance: Balance,
    /// Whether unavailable targets are served too, because nearly all are unavailable.
    pub(crate) panic: bool,
    pub(crate) targets: Box<[Arc<Target>]>,
    pub(crate) ids: Box<[TargetId]>,
    /// Configured weight × slow start; greater than zero.
    pub(crate) weights: Box<[f64]>,
    /// Whether all weights are equal.
    pub(crate) uniform: bool,
    pub(crate) total_weight: f64,
}

impl Rotation {
    pub(crate) fn new(
        version: u64,
        balance: Balance,
        panic: bool,
        members: impl IntoIterator<Item = (Arc<Target>, f64)>,
    ) -> Self {
        let (targets, weights): (Vec<_>, Vec<_>) = members.into_iter().unzip();
        Self {
            version,
            balance,
            panic,
            ids: targets.iter().map(|target| target.id).collect(),
            uniform: weights.windows(2).all(|pair| pair[0] == pair[1]),
            total_weight: weights.iter().sum(),
            targets: targets.into(),
            weights: weights.into(),
        }
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.targets.len()
    }

    /// Requests under way at a target, per unit of weight.
    #[inline]
    pub(crate) fn weighted_in_flight(&self, position: usize) -> f64 {
        f64::from(self.targets[position].load.in_flight()) / self.weights[position]
    }

    /// Whether a picker would choose the same from both.
    pub(crate) fn same_choice(&self, other: &Self) -> bool {
        self.balance == other.balance
            && self.panic == other.panic
            && self.ids == other.ids
            && self.weights == other.weights
    }
}
