use proptest::prelude::*;

use super::*;
use crate::testing::assert_near;

#[test]
fn erlang_c_of_the_tables() {
    for (servers, load, expected) in
        [(2, 1.5, 0.642_857), (4, 3.2, 0.596_432), (10, 8.0, 0.409_180), (20, 18.0, 0.550_769)]
    {
        let waits = erlang_c(servers, load).unwrap();
        assert!((waits - expected).abs() <= 0.51e-6, "{waits} for {expected}");
    }
}

#[test]
fn edges() {
    assert_eq!(erlang_b(5, 0.0), Ok(0.0));
    assert_eq!(erlang_c(5, 0.0), Ok(0.0));
    assert_eq!(erlang_c(5, 5.0), Ok(1.0));
    assert_eq!(erlang_c(5, f64::MAX), Ok(1.0));
    assert_eq!(erlang_c(0, 1.0), Err(QueueError::Servers));
    assert_eq!(erlang_c(u32::MAX, 1.0), Err(QueueError::Servers));
    for bad in [f64::NAN, f64::INFINITY, -1.0] {
        assert_eq!(erlang_c(2, bad), Err(QueueError::Invalid));
        assert_eq!(Station::new(2, bad), Err(QueueError::Invalid));
    }
    assert_eq!(Station::new(2, 1.0).unwrap().wait_quantile_s(2.0, 0.5), Err(QueueError::Overloaded));
    assert_eq!(Station::new(2, 1.0).unwrap().wait_quantile_s(1.0, 1.0), Err(QueueError::Invalid));
    // One server just below the brink: half wait longer than ln(2ρ)/(1 - ρ), as exactly as the difference can be had.
    let share = 1.0 - 1e-12;
    let median = Station::new(1, 1.0).unwrap().wait_quantile_s(share, 0.5).unwrap();
    assert_near(median, (2.0 * share).ln() / (1.0 - share), 1e-9);
}

#[test]
fn ten_thousand_servers_are_numbers_still() {
    // In the Halfin-Whitt regime, load = c - β√c, C tends to 1/(1 + βΦ(β)/φ(β)): 0.2234 for β = 1.
    let waits = erlang_c(10_000, 10_000.0 - 100.0).unwrap();
    assert_near(waits, 0.2234, 0.02);
    assert_eq!(erlang_c(10_000, 1.0), Ok(0.0));
    let station = Station::new(10_000, 0.1).unwrap();
    let rate = station.arrivals_for_wait(0.95, 0.01).unwrap();
    assert!((98_000.0..100_000.0).contains(&rate), "{rate}");
}

#[test]
fn quantiles_of_one_server() {
    let station = Station::new(1, 0.01).unwrap();
    assert_near(station.wait_quantile_s(50.0, 0.95).unwrap(), 10.0_f64.ln() / 50.0, 1e-9);
    assert_eq!(station.wait_quantile_s(4.0, 0.95), Ok(0.0));
    assert_near(station.wait_exceeds(80.0, 0.05).unwrap(), 0.8 * (-1.0_f64).exp(), 1e-9);
}

#[test]
fn variation_lengthens_waits() {
    let even = Station::new(4, 0.02).unwrap().with_variation(1.0, 0.0).unwrap();
    let wild = even.with_variation(2.0, 4.0).unwrap();
    let median = |station: &Station| station.wait_quantile_s(190.0, 0.5).unwrap();
    assert_near(median(&wild), 6.0 * median(&even), 1e-9);
    let load = |station: &Station| station.arrivals_for_wait(0.95, 0.05).unwrap();
    assert!(load(&wild) < load(&even) && load(&even) < 200.0);
    let none = even.with_variation(0.0, 0.0).unwrap();
    assert_eq!(none.wait_quantile_s(199.0, 0.99), Ok(0.0));
    assert_near(load(&none), 200.0, 1e-9);
}

proptest! {
    #[test]
    fn inverses_meet_their_target(
        servers in 1_u32..200, service_s in 0.001..2.0_f64, p in 0.5..0.999_f64, stretch in 0.01..20.0_f64,
        variation in 0.1..5.0_f64,
    ) {
        let station = Station::new(servers, service_s).unwrap().with_variation(1.0, variation).unwrap();
        let target = stretch * service_s;
        let rate = station.arrivals_for_wait(p, target).unwrap();
        prop_assert!(rate <= station.most_arrivals());
        let at = |rate: f64| station.wait_quantile_s(rate, p).unwrap_or(f64::INFINITY);
        prop_assert!(at(rate * (1.0 - 1e-9)) <= target * (1.0 + 1e-6) && at(rate * (1.0 + 1e-6)) >= target);
    }

    #[test]
    fn waits_rise_with_load(servers in 1_u32..200, share in 0.0..0.999_f64, more in 0.0..1.0_f64) {
        let rate = share * f64::from(servers);
        let higher = rate + more * (f64::from(servers) * 0.9999 - rate);
        prop_assert!(erlang_c(servers, rate).unwrap() <= erlang_c(servers, higher).unwrap() * (1.0 + 1e-9));
        let station = Station::new(servers, 1.0).unwrap();
        prop_assert!(
            station.wait_quantile_s(rate, 0.95).unwrap() <= station.wait_quantile_s(higher, 0.95).unwrap() + 1e-9
        );
    }

    #[test]
    fn any_numbers_give_a_number_or_an_error(
        servers in prop_oneof![0_u32..40, Just(10_000), any::<u32>()],
        service in crate::arbitrary::number(),
        rate in crate::arbitrary::number(),
        time in crate::arbitrary::number(),
        p in prop_oneof![0.0..1.0_f64, crate::arbitrary::number()],
        variation in crate::arbitrary::number(),
    ) {
        let mut all = vec![
            erlang_b(servers, rate),
            erlang_c(servers, rate),
        ];
        if let Ok(station) = Station::new(servers, service).and_then(|s| s.with_variation(variation, time)) {
            // A rate that it can do, too.
            for rate in [rate, p.fract().abs() * station.most_arrivals()] {
                all.push(station.wait_exceeds(rate, time));
                all.push(station.wait_quantile_s(rate, p));
            }
            all.push(station.arrivals_for_wait(p, time));
        }
        for value in all {
            prop_assert!(value.is_err() || value.is_ok_and(|value| value.is_finite() && value >= 0.0), "{:?}", value);
        }
    }
}
