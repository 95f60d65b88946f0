//! The terminal, as what is drawn on it while it changes needs it: whether it is one, its size, colours, and bars.

mod key_at_a_time;
mod keyboard;

use std::io::{self, IsTerminal, Write};

pub(crate) use key_at_a_time::KeyAtATime;
pub(crate) use keyboard::read;

pub(crate) const RED: &str = "31";
pub(crate) const GREEN: &str = "32";
pub(crate) const YELLOW: &str = "33";
pub(crate) const DIM: &str = "2";

/// Whether standard output can be drawn on.
pub(crate) fn is_capable() -> bool {
    io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Columns and rows of the terminal, as far as it knows them.
pub(crate) fn size() -> (Option<usize>, Option<usize>) {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok();
    let known = |cells: u16| Some(usize::from(cells)).filter(|cells| *cells > 0);
    (size.and_then(|size| known(size.ws_col)), size.and_then(|size| known(size.ws_row)))
}

/// Writes at once.
pub(crate) fn put(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Puts colour to text, or leaves it as it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    pub colour: bool,
}

impl Paint {
    /// Colours where they are shown and not unwanted (`NO_COLOR`).
    pub(crate) fn new() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { colour: wanted && is_capable() }
    }

    pub(crate) fn paint(self, colour: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// A share, 0 to 1, in so many cells.
pub(crate) fn bar(share: f64, cells: usize) -> String {
    let full = ((share * cells as f64).round() as usize).min(cells);
    "█".repeat(full) + &"░".repeat(cells - full)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_as_many_cells_as_it_should() {
        assert_eq!(bar(0.25, 8), "██░░░░░░");
        for share in [-1.0, 0.0, 1.0, 7.0, f64::NAN, f64::INFINITY] {
            assert_eq!(bar(share, 5).chars().count(), 5, "{share}");
        }
    }

    #[test]
    fn colour_is_put_only_where_it_is_wanted() {
        assert_eq!(Paint { colour: true }.paint(RED, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(Paint { colour: true }.paint(RED, ""), "");
        assert_eq!(Paint { colour: false }.paint(RED, "x"), "x");
    }
}
