//! A price that changes: set at every instance, still the old one in the cache, and live everywhere after one purge
//! by tag.

use std::net::SocketAddr;
use std::time::Instant;

use bytes::Bytes;
use deepwater_core::Call as ConsoleCall;
use deepwater_shop::DEAL;
use hyper::StatusCode;
use serde_json::{Value, json};

use super::stage::Stage;
use super::story::{PriceCached, PriceChanged, PriceLive, PriceStale, TagPurged, WishFailed};
use crate::client::Call;

/// What the deal costs, one after the other, in cents.
const PRICES: [u64; 3] = [10_900, 9_890, 8_950];
/// How often each address is asked. Every request comes over a connection of its own, and so to any of the edge's
/// threads.
const ASKED: usize = 10;

/// Where the price alone is.
pub(super) fn price_path() -> String {
    format!("/api/prices/{DEAL}")
}

/// Everywhere the price is shown.
fn addresses() -> [String; 6] {
    [
        "/".into(),
        "/products".into(),
        "/deal".into(),
        format!("/products/{DEAL}"),
        format!("/api/products/{DEAL}"),
        price_path(),
    ]
}

impl Stage<'_> {
    /// Changes the price of the deal, and tells what visitors see of it before and after a purge.
    pub(super) async fn change_price(&mut self) {
        if let Err(reason) = self.try_to_change_price().await {
            self.planes.context.events.emit(WishFailed { wish: "change the price".into(), reason });
        }
    }

    async fn try_to_change_price(&mut self) -> Result<(), String> {
        let events = self.planes.context.events.clone();
        let (shop, path) = (self.shop, price_path());
        // All of them are in the cache, or are from now on.
        for address in addresses() {
            price_at(shop, &address).await?;
        }
        let old = price_at(shop, &path).await?.ok_or_else(|| format!("{path} shows no price"))?;
        let new = next(old);
        let mut instances = 0;
        for instance in self.instances.iter().filter(|instance| instance.is_running()) {
            let told = instance.set_price(DEAL, new, &self.shops).await;
            told.map_err(|reason| format!("{} did not take it: {reason}", instance.name))?;
            instances += 1;
        }
        // Who comes back later knows it, too.
        self.shops.deal_price = Some(new);
        let (from, to) = (euros(old), euros(new));
        events.emit(PriceChanged { from: from.clone(), to: to.clone(), instances });

        let still = shown(shop, &[path], old).await?;
        events.emit(PriceCached { asked: ASKED as u64, old: still, price: from });

        let tag = format!("product:{DEAL}");
        let begun = Instant::now();
        self.purge(&tag).await?;
        let micros = begun.elapsed().as_micros() as u64;
        events.emit(TagPurged { tag, micros });

        let addresses = addresses();
        let asked = (ASKED * addresses.len()) as u64;
        let live = shown(shop, &addresses, new).await?;
        match live == asked {
            true => events.emit(PriceLive { asked, addresses: addresses.len(), price: to }),
            false => events.emit(PriceStale { asked, stale: asked - live }),
        }
        Ok(())
    }

    /// What `deepwater purge --tag` asks of the console, also when none listens.
    async fn purge(&self, tag: &str) -> Result<(), String> {
        let body = json!({ "tag": tag }).to_string().into_bytes();
        let call = ConsoleCall { body, ..ConsoleCall::default() };
        let reply = self.ask("/api/cache/purge", call).await.ok_or("the edge has no command to purge")?;
        match reply.status {
            200 => Ok(()),
            status => Err(format!("the purge was answered with {status}: {}", reply.body["error"])),
        }
    }
}

/// How many of the answers at these addresses show this price.
async fn shown(shop: SocketAddr, paths: &[String], price: u64) -> Result<u64, String> {
    let mut shown = 0;
    for path in paths {
        for _ in 0..ASKED {
            shown += u64::from(price_at(shop, path).await? == Some(price));
        }
    }
    Ok(shown)
}

/// The price of the deal that an address of the shop shows, in cents.
async fn price_at(shop: SocketAddr, path: &str) -> Result<Option<u64>, String> {
    let address = shop.to_string();
    match Call::get(&address, path).send().await {
        Ok((StatusCode::OK, body)) => Ok(price_in(&body)),
        Ok((status, _)) => Err(format!("{path} answers {status}")),
        Err(reason) => Err(format!("{path}: {reason}")),
    }
}

fn price_in(body: &Bytes) -> Option<u64> {
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        return Some((json["price"].as_f64()? * 100.0).round() as u64);
    }
    let page = std::str::from_utf8(body).ok()?;
    let (_, rest) = page.split_once(&format!("data-price=\"{DEAL}\">€ "))?;
    let (price, _) = rest.split_once('<')?;
    price.replace('.', "").parse().ok()
}

fn next(price: u64) -> u64 {
    let position = PRICES.iter().position(|known| *known == price);
    PRICES[position.map_or(0, |position| (position + 1) % PRICES.len())]
}

/// `98.90`
fn euros(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_found_in_pages_and_documents() {
        let page =
            r#"<p><span class="price" data-price="1">€ 5.00</span><span data-price="7">€ 98.90</span>"#;
        assert_eq!(price_in(&Bytes::from(page)), Some(9_890));
        assert_eq!(price_in(&Bytes::from(r#"{"product":7,"price":98.9}"#)), Some(9_890));
        assert_eq!(price_in(&Bytes::from("<p>no price</p>")), None);
        assert_eq!(price_in(&Bytes::from("{}")), None);
    }

    #[test]
    fn every_price_is_followed_by_another() {
        for price in PRICES.into_iter().chain([1]) {
            assert_ne!(next(price), price);
        }
        assert_eq!(PRICES.map(euros), ["109.00", "98.90", "89.50"]);
    }
}
