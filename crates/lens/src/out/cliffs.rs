//! The cliffs as metrics, for whoever keeps them and draws them.

use std::sync::Arc;

use arc_swap::ArcSwap;
use deepwater_core::metrics::{Registry, Sink};

use crate::cliffs::{Cliffs, Level};

/// What a scrape shows of the cliffs. A cell of its own: whoever judges them reads metrics meanwhile.
#[derive(Clone)]
pub(crate) struct Shown {
    cliffs: Arc<ArcSwap<Cliffs>>,
}

impl Shown {
    /// Shows none yet.
    pub(crate) fn new(metrics: &Registry) -> Self {
        let cliffs = Arc::<ArcSwap<Cliffs>>::default();
        let shown = Arc::clone(&cliffs);
        metrics.collect(move |sink| collect(&shown.load(), sink));
        Self { cliffs }
    }

    /// Shows these from now on.
    pub(crate) fn set(&self, cliffs: Cliffs) {
        self.cliffs.store(Arc::new(cliffs));
    }
}

fn collect(cliffs: &Cliffs, sink: &mut Sink) {
    if let Some(load) = &cliffs.load {
        let help = "The load that cliffs are foretold for, per second.";
        sink.gauge("deepwater_lens_load", help, &[("unit", load.unit)], load.value);
    }
    for cliff in &cliffs.cliffs {
        let label = ("cliff", cliff.id.as_str());
        if let Some(level) = number(cliff.level) {
            let help =
                "How near a cliff is: 0 clear, 1 watch, 2 near, 3 over. Absent while it cannot be told.";
            sink.gauge("deepwater_lens_cliff_level", help, &[label], level);
        }
        if let Some(at) = &cliff.at {
            let help = "The load at which a cliff is reached: the best guess, and the range it is in.";
            for (bound, load) in [("low", at.low), ("guess", at.load), ("high", at.high)] {
                sink.gauge("deepwater_lens_cliff_load", help, &[label, ("bound", bound)], load);
            }
        }
    }
}

fn number(level: Level) -> Option<f64> {
    match level {
        Level::Unknown => None,
        Level::Clear => Some(0.0),
        Level::Watch => Some(1.0),
        Level::Near => Some(2.0),
        Level::Over => Some(3.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cliffs::{At, Cliff, Kind};

    fn cliff(id: &str, level: Level, at: Option<At>) -> Cliff {
        Cliff {
            id: id.to_owned(),
            kind: Kind::ConnectionPool,
            resource: "shop".into(),
            level,
            since: String::new(),
            state: "forecast",
            at,
            within: None,
            headroom: None,
            used: None,
            limit: None,
            unit: "connections",
            text: String::new(),
            evidence: Vec::new(),
        }
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let registry = Registry::default();
        let shown = Shown::new(&registry);
        assert_eq!(registry.render(), "");
        let at = At { load: 410.0, low: 360.0, high: 470.0, confidence: 0.8 };
        let cliffs = vec![cliff("a", Level::Near, Some(at)), cliff("b", Level::Unknown, None)];
        shown.set(Cliffs { cliffs, ..Cliffs::default() });
        let text = registry.render();
        assert!(text.contains("deepwater_lens_cliff_level{cliff=\"a\"} 2\n"), "{text}");
        assert!(text.contains("deepwater_lens_cliff_load{cliff=\"a\",bound=\"high\"} 470\n"), "{text}");
        assert!(!text.contains("\"b\"") && !text.contains("deepwater_lens_load"), "{text}");
    }
}
