//! What all pages share: head, header, footer, and the badge of the instance that made the page.

use axum::response::Html;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::catalogue::{Category, Product};
use crate::prices::Euros;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("live.js");

/// The frame around a page's content.
pub(super) fn page(title: &str, instance: &str, content: &Markup) -> Html<String> {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="description" content="Fern & Flint: good things for going outside.";
                title { (title) " · Fern & Flint" }
                link rel="icon" href="/images/1.png";
                style { (PreEscaped(STYLE)) }
            }
            body {
                header.top {
                    a.brand href="/" { span.mark aria-hidden="true" { "▲" } "Fern & Flint" }
                    nav aria-label="Shelves" {
                        @for category in Category::ALL {
                            a href={ "/products?category=" (category.slug()) } { (category.label()) }
                        }
                    }
                    a.cart-link href="/cart" { "Cart" span #cart-count hidden {} }
                }
                main { (content) }
                footer {
                    p { "A sample shop. Nothing here is for sale, and nobody will come to your door." }
                    p { a href="/products" { "All products" } " · " a href="/api/report" { "Sales report (slow)" }
                        " · " a href="/health" { "Health" } }
                }
                aside.instance style={ "--hue:" (hue(instance)) } {
                    span { "This page came from " strong { (instance) } }
                    span #cart-home hidden {}
                    span #live-home hidden {}
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Html(markup.into_string())
}

/// A page with nothing but a sentence: errors and confirmations.
pub(crate) fn message(instance: &str, title: &str, text: &str) -> Html<String> {
    let content = html! {
        section.message {
            h1 { (title) }
            p { (text) }
            a.button href="/" { "Back to the shop" }
        }
    };
    page(title, instance, &content)
}

/// A price that the live ticker keeps current.
pub(super) fn live_price(product: &Product, price: Euros) -> Markup {
    html! { span.price data-price=(product.id) { "€ " (price) } }
}

/// The button that puts a product into the cart, as a form.
pub(super) fn add_to_cart(product: &Product) -> Markup {
    html! {
        form method="post" action="/cart" {
            input type="hidden" name="product" value=(product.id);
            input type="hidden" name="quantity" value="1";
            button aria-label={ "Add " (product.name) " to the cart" } { "Add to cart" }
        }
    }
}

/// A colour for a name, in degrees: instances are told apart at a glance.
fn hue(name: &str) -> u32 {
    name.bytes().fold(0, |hue: u32, byte| hue * 31 % 360 + u32::from(byte) * 97) % 360
}
