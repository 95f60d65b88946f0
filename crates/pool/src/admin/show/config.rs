//! `SHOW CONFIG`.

use std::sync::Arc;

use super::text;
use crate::admin::table::{Table, some};
use crate::control;
use crate::shared::Shared;

pub(super) fn config(shared: &Arc<Shared>) -> Table {
    let mut table = Table::new(["key", "value", "default", "changeable"].map(text));
    for row in control::settings(shared) {
        let changeable = if row.changeable { "yes" } else { "no" };
        table.row([some(row.key), row.value, row.default, some(changeable)]);
    }
    table
}
