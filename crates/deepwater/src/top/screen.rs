//! The terminal while it is looked at. It is left as it was found, however that ends.

use std::io;

use rustix::process::{Signal, getpid, kill_process};

use super::keys::Key;
use super::page::{Line, Page};
use super::view::View;
use crate::terminal::{KeyAtATime, Paint, RED, YELLOW, put, size};

/// Another screen than that of the shell; no cursor; lines that do not fit are cut, not wrapped.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";
/// Of a terminal that does not know.
const USUAL: (usize, usize) = (80, 24);
/// The keys.
const MENU: &str = "q quit  p pause  ↑ ↓ scroll";

/// What is looked at, and which part of it.
pub(super) struct Screen {
    view: View,
    /// Why the facts are old.
    away: Option<String>,
    paused: bool,
    /// Lines of the body above the first that is shown.
    scrolled: usize,
    paint: Paint,
    keyboard: Option<KeyAtATime>,
    entered: bool,
}

impl Screen {
    /// Takes the terminal.
    pub(super) fn take(view: View, paint: Paint) -> io::Result<Self> {
        let mut screen = Self::of(view, paint);
        screen.enter()?;
        Ok(screen)
    }

    fn of(view: View, paint: Paint) -> Self {
        Self { view, away: None, paused: false, scrolled: 0, paint, keyboard: None, entered: false }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Newer facts, or why there are none. What was asked for before a pause is not shown in it.
    pub(super) fn learn(&mut self, answer: Result<View, String>) {
        match answer {
            _ if self.paused => {}
            Ok(view) => (self.view, self.away) = (view, None),
            Err(reason) => self.away = Some(reason),
        }
    }

    pub(super) fn press(&mut self, key: Key) {
        let (columns, rows) = (size().0.unwrap_or(USUAL.0), size().1.unwrap_or(USUAL.1));
        self.scroll(key, columns, rows);
    }

    fn scroll(&mut self, key: Key, columns: usize, rows: usize) {
        let page = Page::of(&self.view, columns);
        let room = self.room(&page, rows);
        let most = page.body.len().saturating_sub(room);
        self.scrolled = match key {
            Key::Lines(lines) => self.scrolled.saturating_add_signed(lines),
            Key::Screens(screens) => {
                let step = isize::try_from(room.max(2) - 1).unwrap_or(1);
                self.scrolled.saturating_add_signed(screens * step)
            }
            Key::Top => 0,
            Key::Bottom => most,
            Key::Pause => {
                self.paused = !self.paused;
                self.scrolled
            }
            Key::Quit => self.scrolled,
        }
        .min(most);
    }

    /// Rows for the body: what the head and the menu leave.
    fn room(&self, page: &Page, rows: usize) -> usize {
        rows.saturating_sub(page.head.len() + usize::from(self.away.is_some()) + 1)
    }

    pub(super) fn draw(&self) -> io::Result<()> {
        let lines = self.lines(size().0.unwrap_or(USUAL.0), size().1.unwrap_or(USUAL.1));
        let mut text = String::from("\x1b[H");
        for (at, line) in lines.iter().enumerate() {
            text.push_str(if at == 0 { "" } else { "\r\n" });
            text.push_str(
                &line.colour.map_or(line.text.clone(), |colour| self.paint.paint(colour, &line.text)),
            );
            text.push_str("\x1b[K");
        }
        put(&(text + "\x1b[J"))
    }

    /// As many lines as there are rows, at most.
    fn lines(&self, columns: usize, rows: usize) -> Vec<Line> {
        let page = Page::of(&self.view, columns);
        let room = self.room(&page, rows);
        // The body may be shorter than when it was scrolled, or the window larger.
        let above = self.scrolled.min(page.body.len().saturating_sub(room));
        let below = page.body.len().saturating_sub(above + room);
        let mut lines: Vec<Line> = self.away.iter().map(|why| away(why).cut(columns)).collect();
        lines.extend(page.head);
        lines.extend(page.body.into_iter().skip(above).take(room));
        lines.truncate(rows.saturating_sub(1));
        if rows > 0 {
            lines.push(self.menu(above, below).cut(columns));
        }
        lines
    }

    fn menu(&self, above: usize, below: usize) -> Line {
        let more = match (above, below) {
            (0, 0) => String::new(),
            (above, below) => format!("   {above} above, {below} below"),
        };
        match self.paused {
            true => Line::new(format!("paused: p goes on   {MENU}{more}"), Some(YELLOW)),
            false => Line::new(format!("{MENU}{more}"), Some(crate::terminal::DIM)),
        }
    }

    /// Takes the terminal, or takes it again after somebody else had it.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        match &self.keyboard {
            Some(keyboard) => keyboard.apply(),
            None => self.keyboard = KeyAtATime::take(),
        }
        self.entered = true;
        put(ENTER)
    }

    /// Gives the terminal back.
    fn leave(&mut self) -> io::Result<()> {
        self.keyboard = None;
        if std::mem::take(&mut self.entered) { put(LEAVE) } else { Ok(()) }
    }

    /// Stops the process, as the shell's Ctrl-Z asks for. It goes on where it stopped.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        self.leave()?;
        kill_process(getpid(), Signal::STOP)?;
        self.enter()
    }
}

fn away(why: &str) -> Line {
    Line::new(format!("Old facts: {}", crate::seen::clean(why)), Some(RED))
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::page::tests::view;

    fn screen() -> Screen {
        Screen::of(view(), Paint { colour: false })
    }

    fn last(screen: &Screen, rows: usize) -> String {
        screen.lines(120, rows).pop().unwrap().text
    }

    #[test]
    fn never_more_lines_than_rows_and_none_too_wide() {
        let mut screen = screen();
        screen.away = Some("no console answers".into());
        for rows in [0, 1, 2, 5, 12, 100] {
            for columns in [0, 1, 20, 200] {
                let lines = screen.lines(columns, rows);
                assert!(lines.len() <= rows, "{columns} × {rows}: {}", lines.len());
                assert!(lines.iter().all(|line| line.text.chars().count() <= columns));
            }
        }
    }

    #[test]
    fn the_body_scrolls_under_its_head_and_not_beyond() {
        let mut screen = screen();
        let lines =
            |screen: &Screen| screen.lines(120, 15).into_iter().map(|line| line.text).collect::<Vec<_>>();
        let before = lines(&screen);
        assert!(before[7].starts_with("Cliff") && before[14].ends_with("0 above, 14 below"), "{before:?}");
        screen.scroll(Key::Lines(1), 120, 15);
        assert!(lines(&screen)[7].starts_with("connection pool"));
        assert_eq!(lines(&screen)[..7], before[..7], "the head stays");
        screen.scroll(Key::Screens(1), 120, 15);
        assert_eq!(screen.scrolled, 7);
        screen.scroll(Key::Bottom, 120, 15);
        screen.scroll(Key::Lines(5), 120, 15);
        assert!(last(&screen, 15).ends_with("14 above, 0 below"), "{}", last(&screen, 15));
        assert!(!last(&screen, 100).contains("above"), "a larger window shows all of it");
        screen.scroll(Key::Lines(-100), 120, 15);
        assert_eq!(lines(&screen), before);
    }

    #[test]
    fn a_pause_holds_and_an_absent_console_is_told() {
        let mut screen = screen();
        screen.learn(Err("no console answers at http://127.0.0.1:9000".into()));
        assert_eq!(screen.lines(120, 30)[0].text, "Old facts: no console answers at http://127.0.0.1:9000");
        screen.scroll(Key::Pause, 120, 30);
        assert!(screen.is_paused() && last(&screen, 30).starts_with("paused"));
        screen.learn(Ok(view()));
        assert!(screen.away.is_some(), "nothing changes in a pause");
        screen.scroll(Key::Pause, 120, 30);
        screen.learn(Ok(view()));
        assert!(screen.away.is_none());
    }
}
