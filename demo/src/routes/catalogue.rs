//! The catalogue: pages and JSON.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{CACHE_CONTROL, VARY};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::SURROGATE_KEY;
use crate::app::Shop;
use crate::catalogue::{self, Category, Product, ProductId};
use crate::clock::rfc3339;
use crate::negotiation::prefers_json;
use crate::pages;
use crate::prices::{Euros, PriceList};
use crate::problem::Problem;

/// Catalogue answers are the same for everyone, and a price is never older than this many seconds.
const FOR_EVERYONE: (HeaderName, &str) = (CACHE_CONTROL, "public, max-age=5");

#[derive(Serialize)]
struct ProductJson {
    id: ProductId,
    name: &'static str,
    category: &'static str,
    summary: &'static str,
    price: Euros,
    currency: &'static str,
    price_since: String,
    image: String,
}

impl ProductJson {
    fn new(product: &Product, prices: &PriceList) -> Self {
        let quote = prices.of(product);
        Self {
            id: product.id,
            name: product.name,
            category: product.category.slug(),
            summary: product.summary,
            price: quote.price,
            currency: "EUR",
            price_since: rfc3339(quote.since),
            image: format!("/images/{}.svg", product.id),
        }
    }
}

/// What a listing can be narrowed to.
#[derive(Deserialize)]
pub(crate) struct Filter {
    category: Option<String>,
}

impl Filter {
    fn category(&self) -> Result<Option<Category>, Problem> {
        let Some(slug) = &self.category else { return Ok(None) };
        Category::from_slug(slug)
            .map(Some)
            .ok_or_else(|| Problem::not_found("There is no such category in the catalogue."))
    }
}

/// `GET /`
pub(crate) async fn home(State(shop): State<Arc<Shop>>) -> Response {
    match shop.database.prices().await {
        Ok(prices) => {
            let page = pages::home(&shop.instance, &prices);
            ([FOR_EVERYONE], tagged(pages::on_home()), page).into_response()
        }
        Err(error) => page_for(&shop, &error.into()),
    }
}

/// `GET /products`: a page, or JSON for those who prefer it.
pub(crate) async fn listing(
    State(shop): State<Arc<Shop>>,
    Query(filter): Query<Filter>,
    headers: HeaderMap,
) -> Response {
    let mut response = if prefers_json(&headers) {
        products_json(State(shop), Query(filter)).await.into_response()
    } else {
        let wanted = async { Ok((filter.category()?, shop.database.prices().await?)) };
        match wanted.await {
            Ok((category, prices)) => {
                let page = pages::listing(&shop.instance, category, &prices);
                ([FOR_EVERYONE], tagged(catalogue::list(category)), page).into_response()
            }
            Err(problem) => page_for(&shop, &problem),
        }
    };
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept"));
    response
}

/// `GET /products/{id}`
pub(crate) async fn product_page(State(shop): State<Arc<Shop>>, Path(id): Path<String>) -> Response {
    let wanted = async { Ok((find(&id)?, shop.database.prices().await?)) };
    match wanted.await {
        Ok((product, prices)) => {
            let page = pages::product(&shop.instance, product, &prices);
            ([FOR_EVERYONE], tagged(pages::on_product_page(product)), page).into_response()
        }
        Err(problem) => page_for(&shop, &problem),
    }
}

/// `GET /api/products`
pub(crate) async fn products_json(
    State(shop): State<Arc<Shop>>,
    Query(filter): Query<Filter>,
) -> Result<Response, Problem> {
    let (category, prices) = (filter.category()?, shop.database.prices().await?);
    let products: Vec<_> = catalogue::list(category).map(|p| ProductJson::new(p, &prices)).collect();
    Ok(([FOR_EVERYONE], tagged(catalogue::list(category)), Json(products)).into_response())
}

/// `GET /api/products/{id}`
pub(crate) async fn product_json(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let product = find(&id)?;
    let json = Json(ProductJson::new(product, &shop.database.prices().await?));
    Ok(([FOR_EVERYONE], tagged([product]), json).into_response())
}

/// Whatever the shop does not have.
pub(crate) async fn not_found(State(shop): State<Arc<Shop>>, uri: Uri, headers: HeaderMap) -> Response {
    let problem = Problem::not_found("There is nothing at this address.");
    if uri.path().starts_with("/api/") || prefers_json(&headers) {
        problem.into_response()
    } else {
        page_for(&shop, &problem)
    }
}

/// The product an address names.
pub(super) fn find(id: &str) -> Result<&'static Product, Problem> {
    id.parse().ok().and_then(catalogue::find).ok_or_else(Problem::no_such_product)
}

/// A problem, shown to a person.
pub(super) fn page_for(shop: &Shop, problem: &Problem) -> Response {
    let title = match problem.status() {
        StatusCode::NOT_FOUND => "Not on our shelves",
        StatusCode::SERVICE_UNAVAILABLE => "The till has a queue",
        _ => "That did not work",
    };
    let page = pages::message(&shop.instance, title, problem.detail());
    (problem.status(), [(CACHE_CONTROL, "no-store")], page).into_response()
}

/// The tags of an answer that shows these products: whatever changes about one of them, a purge by its tag reaches
/// every page that shows it.
pub(super) fn tagged<'a>(products: impl IntoIterator<Item = &'a Product>) -> [(HeaderName, String); 1] {
    let mut tags = "catalogue".to_owned();
    for product in products {
        tags.push_str(&format!(" product:{}", product.id));
    }
    [(SURROGATE_KEY, tags)]
}
