//! A keyboard whose keys come one at a time.

use std::io::{self, IsTerminal};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios};

/// A terminal that hands over each key at once and does not show it. Dropping it restores what was.
pub(crate) struct KeyAtATime {
    before: Termios,
}

impl KeyAtATime {
    /// Takes the terminal behind standard input, if there is one and this process is in its foreground: the
    /// system would stop a background process that touches it.
    pub(crate) fn take() -> Option<Self> {
        let stdin = io::stdin();
        let foreground = stdin.is_terminal()
            && rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp());
        if !foreground {
            return None;
        }
        let before = rustix::termios::tcgetattr(&stdin).ok()?;
        let taken = Self { before };
        taken.apply();
        Some(taken)
    }

    /// Sets the mode; again after the process was stopped, since the shell has set its own meanwhile.
    pub(crate) fn apply(&self) {
        let mut modes = self.before.clone();
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        // Ctrl-S would hold up everything that writes.
        modes.input_modes.remove(rustix::termios::InputModes::IXON);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // Without the mode, keys need Enter: they still work.
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &modes);
    }
}

impl Drop for KeyAtATime {
    fn drop(&mut self) {
        let _ = rustix::termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
