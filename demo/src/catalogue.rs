//! What the shop sells.

mod products;

pub(crate) use products::PRODUCTS;

/// A product's number, as it stands in addresses.
pub(crate) type ProductId = u32;

/// The number of the product that is the deal of the week.
pub const DEAL: ProductId = 7;

/// Something to buy.
#[derive(Debug)]
pub(crate) struct Product {
    pub(crate) id: ProductId,
    pub(crate) name: &'static str,
    pub(crate) category: Category,
    pub(crate) summary: &'static str,
    pub(crate) list_price_cents: u32,
}

impl Product {
    /// Where the product stands in the table; its number counts from 1.
    pub(crate) fn position(&self) -> usize {
        self.id as usize - 1
    }
}

/// The shelves of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    Shelter,
    Light,
    Kitchen,
    Packs,
    Tools,
    Comfort,
}

impl Category {
    pub(crate) const ALL: [Self; 6] =
        [Self::Shelter, Self::Light, Self::Kitchen, Self::Packs, Self::Tools, Self::Comfort];

    /// As addresses spell it.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::Shelter => "shelter",
            Self::Light => "light",
            Self::Kitchen => "kitchen",
            Self::Packs => "packs",
            Self::Tools => "tools",
            Self::Comfort => "comfort",
        }
    }

    /// As pages spell it.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Shelter => "Shelter",
            Self::Light => "Light",
            Self::Kitchen => "Camp kitchen",
            Self::Packs => "Packs",
            Self::Tools => "Tools",
            Self::Comfort => "Comfort",
        }
    }

    pub(crate) fn from_slug(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|category| category.slug() == slug)
    }
}

/// The product with this number.
pub(crate) fn find(id: ProductId) -> Option<&'static Product> {
    let position = usize::try_from(id).ok()?.checked_sub(1)?;
    PRODUCTS.get(position)
}

/// The deal of the week.
pub(crate) fn deal() -> &'static Product {
    &PRODUCTS[DEAL as usize - 1]
}

/// Products of one category, or all of them.
pub(crate) fn list(category: Option<Category>) -> impl Iterator<Item = &'static Product> {
    PRODUCTS.iter().filter(move |product| category.is_none_or(|wanted| product.category == wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_positions() {
        for product in &PRODUCTS {
            assert_eq!(find(product.id).map(|found| found.name), Some(product.name));
        }
        assert!(find(0).is_none());
        assert!(find(PRODUCTS.len() as u32 + 1).is_none());
    }

    #[test]
    fn every_category_has_products() {
        for category in Category::ALL {
            assert_eq!(Category::from_slug(category.slug()), Some(category));
            assert!(list(Some(category)).count() >= 3);
        }
    }
}
