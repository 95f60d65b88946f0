//! A report that takes its time: rows leave as they are computed.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;

use crate::app::Shop;
use crate::catalogue::{PRODUCTS, Product};
use crate::prices::PriceList;
use crate::problem::Problem;
use crate::random::SplitMix64;

const DEFAULT_SECONDS: f64 = 2.0;
const MAX_SECONDS: f64 = 10.0;

#[derive(Deserialize)]
pub(crate) struct Pace {
    seconds: Option<f64>,
}

/// `GET /api/report?seconds=2`: one CSV row per product, spread evenly over the time (at most 10 s).
pub(crate) async fn sales(
    State(shop): State<Arc<Shop>>,
    Query(Pace { seconds }): Query<Pace>,
) -> Result<Response, Problem> {
    let seconds = seconds.unwrap_or(DEFAULT_SECONDS);
    if seconds.is_nan() || seconds < 0.0 {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "`seconds` is a number from 0 to 10."));
    }
    let pause = Duration::from_secs_f64(seconds.min(MAX_SECONDS)) / PRODUCTS.len() as u32;
    let header =
        stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"product,name,price,sold_today\n")) });
    let prices = Arc::new(shop.database.prices().await?);
    let rows = stream::unfold(PRODUCTS.iter(), move |mut products| {
        let prices = Arc::clone(&prices);
        async move {
            let product = products.next()?;
            tokio::time::sleep(pause).await;
            Some((Ok(row(product, &prices)), products))
        }
    });
    let meta = [(CONTENT_TYPE, "text/csv; charset=utf-8"), (CACHE_CONTROL, "no-store")];
    Ok((meta, Body::from_stream(header.chain(rows))).into_response())
}

fn row(product: &Product, prices: &PriceList) -> Bytes {
    let day = prices.now / 86_400;
    let sold = SplitMix64::new(day ^ u64::from(product.id) << 32).below(200);
    format!("{},{},{},{sold}\n", product.id, product.name, prices.of(product).price).into()
}
