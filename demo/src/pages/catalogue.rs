//! Home, listing and product page.

use axum::response::Html;
use maud::{Markup, html};

use super::layout::{add_to_cart, live_price, page};
use crate::catalogue::{self, Category, PRODUCTS, Product};
use crate::clock::rfc3339;
use crate::prices::{Quote, quote};

const FEATURED: usize = 9;
const RELATED: usize = 3;

pub(crate) fn home(instance: &str, now: u64) -> Html<String> {
    let content = html! {
        section.hero {
            div {
                h1 { "Good things for going outside." }
                p { "Tents that forgive, lamps that last, and a kettle in D major. Small runs, honest prices: "
                    "they move a little all day, and you can watch them." }
                a.button href="/products" { "Browse all " (PRODUCTS.len()) " products" }
            }
            img src="/images/13.svg" alt="" width="480" height="360";
        }
        section.ticker aria-label="Prices right now" {
            h2 { span.dot {} "Right now" }
            ol #ticker {
                @for product in PRODUCTS.iter().rev().take(5) {
                    li data-product=(product.id) { (product.name) " " b { "€ " (quote(product, now).price) } }
                }
            }
        }
        h2.section { "This week on the front table" }
        (cards(PRODUCTS.iter().take(FEATURED), now))
    };
    page("Home", instance, &content)
}

pub(crate) fn listing(instance: &str, category: Option<Category>, now: u64) -> Html<String> {
    let title = category.map_or("All products", Category::label);
    let content = html! {
        h1 { (title) }
        nav.chips aria-label="Filter" {
            a href="/products" aria-current=[category.is_none().then_some("page")] { "All" }
            @for other in Category::ALL {
                a href={ "/products?category=" (other.slug()) }
                    aria-current=[(category == Some(other)).then_some("page")] { (other.label()) }
            }
        }
        (cards(catalogue::list(category), now))
    };
    page(title, instance, &content)
}

pub(crate) fn product(instance: &str, product: &Product, now: u64) -> Html<String> {
    let Quote { price, since } = quote(product, now);
    let related =
        catalogue::list(Some(product.category)).filter(|other| other.id != product.id).take(RELATED);
    let content = html! {
        article.product {
            img src={ "/images/" (product.id) ".svg" } alt=(product.name) width="480" height="360";
            div {
                p.shelf { a href={ "/products?category=" (product.category.slug()) } { (product.category.label()) } }
                h1 { (product.name) }
                p.lead { (product.summary) }
                p.big { (live_price(product, price)) }
                p.note { "since " time datetime=(rfc3339(since)) { (rfc3339(since)) } }
                (add_to_cart(product))
            }
        }
        h2.section { "From the same shelf" }
        (cards(related, now))
    };
    page(product.name, instance, &content)
}

fn cards(products: impl Iterator<Item = &'static Product>, now: u64) -> Markup {
    html! {
        ul.cards {
            @for product in products {
                li.card {
                    a href={ "/products/" (product.id) } {
                        img src={ "/images/" (product.id) ".svg" } alt="" width="480" height="360" loading="lazy";
                        h3 { (product.name) }
                    }
                    p { (product.summary) }
                    div.buy { (live_price(product, quote(product, now).price)) (add_to_cart(product)) }
                }
            }
        }
    }
}
