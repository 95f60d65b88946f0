//! What is told of telling.

use deepwater_core::event;

event! {
    /// The receiver did not take a change, and will not get it again. Told of the first only, until one is taken.
    pub struct WebhookFailed { receiver: String, reason: String }
    webhook_failed: Warn, "the webhook at {receiver} did not take a change: {reason}"
}

event! {
    /// The receiver takes changes again.
    pub struct WebhookRecovered { receiver: String, lost: u64 }
    webhook_recovered: Info, "the webhook at {receiver} takes changes again; it was not told of {lost}"
}
