//! Home, listing, product page and the deal of the week.

use axum::response::Html;
use maud::{Markup, html};

use super::layout::{add_to_cart, live_price, page};
use crate::catalogue::{self, Category, PRODUCTS, Product};
use crate::clock::rfc3339;
use crate::prices::{PriceList, Quote};

const FEATURED: usize = 9;
const RELATED: usize = 3;

/// Products on the home page that move in the ticker until the socket brings others.
fn in_ticker() -> impl Iterator<Item = &'static Product> {
    PRODUCTS.iter().rev().take(5)
}

fn featured() -> impl Iterator<Item = &'static Product> {
    PRODUCTS.iter().take(FEATURED)
}

fn related(product: &Product) -> impl Iterator<Item = &'static Product> {
    let id = product.id;
    catalogue::list(Some(product.category)).filter(move |other| other.id != id).take(RELATED)
}

/// The products the home page shows.
pub(crate) fn on_home() -> impl Iterator<Item = &'static Product> {
    featured().chain(in_ticker())
}

/// The products a product's page shows.
pub(crate) fn on_product_page(product: &'static Product) -> impl Iterator<Item = &'static Product> {
    std::iter::once(product).chain(related(product))
}

pub(crate) fn home(instance: &str, prices: &PriceList) -> Html<String> {
    let content = html! {
        section.hero {
            div {
                h1 { "Good things for going outside." }
                p { "Tents that forgive, lamps that last, and a kettle in D major. Small runs, honest prices: "
                    "they move a little all day, and you can watch them." }
                a.button href="/products" { "Browse all " (PRODUCTS.len()) " products" }
                " " a.button href="/deal" { "Deal of the week" }
            }
            img src="/images/13.svg" alt="" width="480" height="360";
        }
        section.ticker aria-label="Prices right now" {
            h2 { span.dot {} "Right now" }
            ol #ticker {
                @for product in in_ticker() {
                    li data-product=(product.id) { (product.name) " " b { "€ " (prices.of(product).price) } }
                }
            }
        }
        h2.section { "This week on the front table" }
        (cards(featured(), prices))
    };
    page("Home", instance, &content)
}

pub(crate) fn listing(instance: &str, category: Option<Category>, prices: &PriceList) -> Html<String> {
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
        (cards(catalogue::list(category), prices))
    };
    page(title, instance, &content)
}

pub(crate) fn product(instance: &str, product: &Product, prices: &PriceList) -> Html<String> {
    let Quote { price, since } = prices.of(product);
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
        (cards(related(product), prices))
    };
    page(product.name, instance, &content)
}

/// The deal of the week, with as many pieces as are left of it.
pub(crate) fn deal(instance: &str, left: u64, prices: &PriceList) -> Html<String> {
    let product = catalogue::deal();
    let content = html! {
        article.product {
            img src={ "/images/" (product.id) ".svg" } alt=(product.name) width="480" height="360";
            div {
                p.shelf { "The deal of the week" }
                h1 { (product.name) }
                p.lead { (product.summary) }
                p.big { (live_price(product, prices.of(product).price)) }
                p.note { "Only " strong { (left) } " left, counted at " (rfc3339(prices.now)) " by asking every warehouse" }
                (add_to_cart(product))
            }
        }
    };
    page("Deal of the week", instance, &content)
}

fn cards(products: impl Iterator<Item = &'static Product>, prices: &PriceList) -> Markup {
    html! {
        ul.cards {
            @for product in products {
                li.card {
                    a href={ "/products/" (product.id) } {
                        img src={ "/images/" (product.id) ".svg" } alt="" width="480" height="360" loading="lazy";
                        h3 { (product.name) }
                    }
                    p { (product.summary) }
                    div.buy { (live_price(product, prices.of(product).price)) (add_to_cart(product)) }
                }
            }
        }
    }
}
