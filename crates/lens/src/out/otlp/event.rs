//! What is told of exporting.

use deepwater_core::event;

event! {
    /// Metrics are sent to a collector.
    pub struct OtlpStarted { collector: String, seconds: f64 }
    otlp_started: Info, "metrics are sent to {collector} every {seconds} s"
}

event! {
    /// A variable of the environment asks for what cannot be done.
    pub struct OtlpSettingIgnored { variable: String, reason: String }
    otlp_setting_ignored: Warn, "{variable} is ignored: {reason}"
}

event! {
    /// A batch was not taken. Told of the first only, until one is taken.
    pub struct OtlpExportFailed { collector: String, reason: String }
    otlp_export_failed: Warn, "{collector} does not take metrics: {reason}"
}

event! {
    /// Batches are taken again.
    pub struct OtlpExportRecovered { collector: String }
    otlp_export_recovered: Info, "{collector} takes metrics again"
}

event! {
    /// The collector took a batch, but not all of it. Told of the first only, until one is taken whole.
    pub struct OtlpPointsRejected { collector: String, points: i64, reason: String }
    otlp_points_rejected: Warn, "{collector} rejected {points} data points: {reason}"
}
