//! One visitor: a connection, some cookies, a cart, and a number of steps before leaving.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, HeaderValue};
use hyper::http::response::Parts;
use hyper::{Method, Request, StatusCode};
use tokio::time::{Instant, timeout};

use super::connection::{Connection, OutgoingRequest, Target};
use super::cookies::CookieJar;
use super::mix::Step;
use super::tally::{Outcome, Ticket};
use crate::catalogue::PRODUCTS;
use crate::random::SplitMix64;

const DEADLINE: Duration = Duration::from_secs(10);
/// Visits have a length, so that customers who come later can be sent to servers that came later.
const STEPS: (u32, u32) = (20, 60);

pub(super) struct Visitor {
    connection: Connection,
    jar: CookieJar,
    random: SplitMix64,
    steps_left: u32,
    has_cart: bool,
}

impl Visitor {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = SplitMix64::new(seed);
        let steps_left = STEPS.0 + random.below(STEPS.1 - STEPS.0);
        Self {
            connection: Connection::default(),
            jar: CookieJar::default(),
            random,
            steps_left,
            has_cart: false,
        }
    }

    /// Whether the visitor will take another step.
    pub(super) fn stays(&self) -> bool {
        self.steps_left > 0
    }

    /// Takes one step. `due` is when it should have begun.
    pub(super) async fn act(mut self, target: Arc<Target>, ticket: Ticket, due: Instant) -> Self {
        self.steps_left = self.steps_left.saturating_sub(1);
        let step = Step::pick(&mut self.random);
        let request = self.request(step, &target);
        let outcome = match timeout(DEADLINE, self.connection.exchange(&target, request)).await {
            Ok(Ok(response)) => {
                self.learn(step, &response);
                Outcome::answered(&response)
            }
            Ok(Err(_)) | Err(_) => {
                self.connection.close();
                Outcome::Broken
            }
        };
        ticket.finish(&outcome, due);
        self
    }

    fn learn(&mut self, step: Step, response: &Parts) {
        self.jar.store(&response.headers);
        match step {
            Step::AddToCart if response.status.is_success() => self.has_cart = true,
            // Bought, or gone with the instance that held it.
            Step::Checkout if response.status.is_success() || response.status == StatusCode::CONFLICT => {
                self.has_cart = false;
            }
            _ => {}
        }
    }

    fn request(&mut self, step: Step, target: &Target) -> OutgoingRequest {
        let product = self.favourite();
        let get = |path: String| (Method::GET, path, String::new());
        let post = |path: &str, body: String| (Method::POST, path.to_owned(), body);
        let (method, path, body) = match step {
            Step::Home => get("/".to_owned()),
            Step::Products => get("/products".to_owned()),
            Step::ProductPage => get(format!("/products/{product}")),
            Step::Deal => get("/deal".to_owned()),
            Step::Price => get(format!("/api/prices/{product}")),
            Step::Image => get(format!("/images/{product}.svg")),
            Step::AddToCart => post("/api/cart/items", format!(r#"{{"product":{product},"quantity":1}}"#)),
            Step::Checkout if self.has_cart => post("/api/checkout", String::new()),
            Step::Checkout => post("/api/checkout", format!(r#"{{"items":[{{"product":{product}}}]}}"#)),
            Step::Login => post("/api/login", r#"{"user":"ada","password":"lovelace"}"#.to_owned()),
        };
        let json = !body.is_empty();
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().expect("paths are made of fixed parts and numbers");
        let headers = request.headers_mut();
        headers.insert(HOST, target.host.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("text/html,*/*;q=0.8"));
        if json {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(cookies) = self.jar.header() {
            headers.insert(COOKIE, cookies);
        }
        request
    }

    /// A product's number. Low numbers are in demand: of two draws the smaller counts.
    fn favourite(&mut self) -> u32 {
        let mut draw = || self.random.below(PRODUCTS.len() as u32);
        1 + draw().min(draw())
    }
}
