//! The deal of the week: the page everybody wants at once, and the dearest one to make.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};

use super::catalogue::{page_for, tagged};
use crate::app::Shop;
use crate::catalogue;
use crate::database::DatabaseError;
use crate::pages;
use crate::prices::PriceList;

/// `GET /deal`: queues for the database like every checkout, and holds a connection four times as long.
pub(crate) async fn page(State(shop): State<Arc<Shop>>) -> Response {
    match stock_and_prices(&shop).await {
        Ok((left, prices)) => {
            let page = pages::deal(&shop.instance, left, &prices);
            ([(CACHE_CONTROL, "public, max-age=2")], tagged([catalogue::deal()]), page).into_response()
        }
        Err(error) => page_for(&shop, &error.into()),
    }
}

async fn stock_and_prices(shop: &Shop) -> Result<(u64, PriceList), DatabaseError> {
    Ok((shop.database.stock().await?, shop.database.prices().await?))
}
