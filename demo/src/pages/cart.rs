//! The cart and what follows it.

use axum::response::Html;
use maud::html;

use super::layout::page;
use crate::bill::{self, Line};
use crate::carts::Cart;
use crate::prices::{Euros, PriceList};

/// `shared` tells whether all instances have the cart.
pub(crate) fn cart(instance: &str, shared: bool, cart: &Cart, prices: &PriceList) -> Html<String> {
    let lines = bill::lines(cart, prices);
    let content = html! {
        h1 { "Your cart" }
        @if lines.is_empty() {
            p.lead { "Nothing in it yet." }
            a.button href="/products" { "Find something" }
        } @else {
            table.cart {
                @for Line { product, quantity, amount } in &lines {
                    tr {
                        td { img src={ "/images/" (product.id) ".png" } alt="" width="80" height="60"; }
                        td { a href={ "/products/" (product.id) } { (product.name) } }
                        td { "× " (quantity) }
                        td.amount { "€ " (amount) }
                        td {
                            form method="post" action="/cart/remove" {
                                input type="hidden" name="product" value=(product.id);
                                button.quiet aria-label={ "Remove " (product.name) } { "Remove" }
                            }
                        }
                    }
                }
                tr.total { td colspan="3" { "Total" } td.amount { "€ " (bill::total(&lines)) } td {} }
            }
            form method="post" action="/checkout" { button.button { "Place the order" } }
        }
        @if shared {
            p.note { "Kept in the database: any instance finds it." }
        } @else {
            p.note { "Kept in the memory of " strong { (instance) } ", and nowhere else: another instance would not "
                "find it." }
        }
    };
    page("Cart", instance, &content)
}

pub(crate) fn order_placed(instance: &str, order: &str, total: Euros) -> Html<String> {
    let content = html! {
        section.message {
            h1 { "Thank you." }
            p { "Your order " strong { (order) } " over € " (total) " is placed." }
            a.button href="/" { "Back to the shop" }
        }
    };
    page("Order placed", instance, &content)
}
