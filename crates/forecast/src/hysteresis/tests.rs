use proptest::prelude::*;

use super::*;

fn at_once() -> Thresholds {
    Thresholds { rise_after: Duration::ZERO, fall_after: Duration::ZERO, ..Thresholds::default() }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn levels_rise_at_one_number_and_fall_at_another() {
    let mut hysteresis = Hysteresis::new(at_once()).unwrap();
    for (second, (ratio, expected)) in [
        (0.59, Level::Clear),
        (0.6, Level::Watch),
        (0.5, Level::Watch),
        (0.49, Level::Clear),
        (1.2, Level::Over),
        (0.9, Level::Over),
        (0.85, Level::Near),
        (0.7, Level::Near),
        (0.69, Level::Watch),
        (0.0, Level::Clear),
        (f64::INFINITY, Level::Over),
        (f64::NAN, Level::Over),
        (f64::NEG_INFINITY, Level::Clear),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(hysteresis.update(seconds(second as u64), ratio), expected, "{ratio} at {second} s");
    }
}

#[test]
fn what_does_not_last_does_not_count() {
    let mut hysteresis = Hysteresis::new(Thresholds::default()).unwrap();
    assert_eq!(hysteresis.update(seconds(100), 2.0), Level::Clear);
    assert_eq!(hysteresis.update(seconds(102), 2.0), Level::Clear);
    // A dip starts it anew; what is reached in the end is the level of then.
    assert_eq!(hysteresis.update(seconds(103), 0.1), Level::Clear);
    assert_eq!(hysteresis.update(seconds(104), 2.0), Level::Clear);
    assert_eq!(hysteresis.update(seconds(107), 0.8), Level::Near);
    assert_eq!(hysteresis.update(seconds(108), 0.1), Level::Near);
    assert_eq!(hysteresis.update(seconds(137), 0.1), Level::Near);
    // Back above where it is left: the wait starts anew.
    assert_eq!(hysteresis.update(seconds(138), 0.7), Level::Near);
    assert_eq!(hysteresis.update(seconds(139), 0.6), Level::Near);
    assert_eq!(hysteresis.update(seconds(168), 0.6), Level::Near);
    assert_eq!(hysteresis.update(seconds(169), 0.6), Level::Watch);
}

#[test]
fn a_clock_that_goes_back_starts_the_wait_anew() {
    let mut hysteresis = Hysteresis::new(Thresholds::default()).unwrap();
    hysteresis.update(seconds(1_000), 2.0);
    assert_eq!(hysteresis.update(seconds(10), 2.0), Level::Clear);
    assert_eq!(hysteresis.update(seconds(12), 2.0), Level::Clear);
    assert_eq!(hysteresis.update(seconds(13), 2.0), Level::Over);
}

#[test]
fn thresholds_that_make_no_sense_are_refused() {
    let good = Thresholds::default();
    let pair = |enter, leave| Threshold { enter, leave };
    for bad in [
        Thresholds { watch: pair(0.5, 0.5), ..good },
        Thresholds { watch: pair(0.85, 0.4), ..good },
        Thresholds { near: pair(0.8, 0.4), ..good },
        Thresholds { over: pair(f64::NAN, 0.9), ..good },
        Thresholds { over: pair(f64::INFINITY, 0.9), ..good },
    ] {
        assert!(Hysteresis::new(bad).is_err(), "{bad:?}");
    }
    assert_eq!(Level::ALL.map(Level::name), ["clear", "watch", "near", "over"]);
}

proptest! {
    /// Noise that is no wider than the two numbers of a level are apart changes it at most once.
    #[test]
    fn noise_at_a_threshold_changes_the_level_at_most_once(
        which in 0..3_usize,
        middle in -1.0..1.0_f64,
        noise in prop::collection::vec(-1.0..1.0_f64, 1..200),
    ) {
        let thresholds = at_once();
        let threshold = [thresholds.watch, thresholds.near, thresholds.over][which];
        let width = (threshold.enter - threshold.leave) / 2.0 * 0.999;
        // Around any middle near either number.
        let middle = (threshold.enter + threshold.leave) / 2.0 + middle * width;
        let mut hysteresis = Hysteresis::new(thresholds).unwrap();
        hysteresis.update(Duration::ZERO, middle);
        let mut level = hysteresis.level();
        let mut changes = 0;
        for (second, noise) in noise.iter().enumerate() {
            let now = hysteresis.update(seconds(second as u64), middle + noise * width);
            changes += usize::from(now != level);
            level = now;
        }
        prop_assert!(changes <= 1, "{} changes", changes);
    }

    #[test]
    fn any_ratios_and_times_give_a_level(steps in prop::collection::vec((any::<u64>(), any::<f64>()), 0..50)) {
        let mut hysteresis = Hysteresis::new(Thresholds::default()).unwrap();
        for (nanoseconds, ratio) in steps {
            let level = hysteresis.update(Duration::from_nanos(nanoseconds), ratio);
            prop_assert_eq!(level, hysteresis.level());
        }
    }

    /// Between two changes of direction at least the wait has passed.
    #[test]
    fn a_level_lasts(ratios in prop::collection::vec(0.0..1.5_f64, 1..400)) {
        let thresholds = Thresholds::default();
        let mut hysteresis = Hysteresis::new(thresholds).unwrap();
        let mut raised = None;
        for (second, ratio) in ratios.iter().enumerate() {
            let (before, now) = (hysteresis.level(), seconds(second as u64));
            let after = hysteresis.update(now, *ratio);
            if after < before {
                let since: Duration = now - raised.unwrap_or(Duration::ZERO);
                prop_assert!(since >= thresholds.fall_after);
            }
            if after != before {
                raised = Some(now);
            }
        }
    }
}
