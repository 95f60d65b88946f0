//! The cache, from outside.

mod conformance;

use std::time::Duration;

/// Lets time pass. Only for what is about time itself: a lifetime that ends.
async fn pause(time: Duration) {
    tokio::time::sleep(time).await;
}
