//! What logins share: what is remembered of users, and how many clients there are.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use aws_lc_rs::{hmac, rand};
use deepwater_pgwire::auth::StoredPassword;
use deepwater_pgwire::auth::scram::ScramSecret;

use super::pending::PendingLogins;
use super::seats::Seats;

/// How long the answer of `auth.query` counts: users who connect for every request must not double the load. A login that
/// fails forgets it, so that after a change of password at most one is refused.
const REMEMBERED: Duration = Duration::from_secs(10);
/// Users remembered at once; above that all are forgotten.
const MAX_REMEMBERED: usize = 10_000;

/// What logins share.
pub(crate) struct LoginState {
    /// What is played to users that do not exist is made of it.
    mock_key: [u8; 32],
    /// By database and user: what `auth.query` gave, and when.
    asked: Mutex<Asked>,
    /// SCRAM secrets of users whose password is stored in clear, by user: making one takes milliseconds.
    made: Mutex<HashMap<String, Made>>,
    pub(crate) pending: PendingLogins,
    pub(crate) seats: Seats,
}

type Asked = HashMap<(Arc<str>, String), (Instant, StoredPassword)>;

struct Made {
    password: String,
    iterations: NonZeroU32,
    secret: ScramSecret,
}

impl Default for LoginState {
    fn default() -> Self {
        let mut mock_key = [0; 32];
        rand::fill(&mut mock_key).expect("the system gives random numbers");
        Self {
            mock_key,
            asked: Mutex::default(),
            made: Mutex::default(),
            pending: PendingLogins::default(),
            seats: Seats::default(),
        }
    }
}

impl LoginState {
    /// A secret that no password opens, the same for the same user.
    pub(super) fn mock_secret(&self, user: &str) -> ScramSecret {
        ScramSecret::mock(&self.mock_key, user)
    }

    /// What `auth.query` lately gave for a user of a database.
    pub(super) fn remembered(&self, database: &Arc<str>, user: &str, now: Instant) -> Option<StoredPassword> {
        let asked = self.asked();
        let (at, password) = asked.get(&(Arc::clone(database), user.to_owned()))?;
        (now.saturating_duration_since(*at) < REMEMBERED).then(|| password.clone())
    }

    pub(super) fn remember(&self, database: &Arc<str>, user: &str, password: StoredPassword, now: Instant) {
        let mut asked = self.asked();
        if asked.len() >= MAX_REMEMBERED {
            asked.retain(|_, (at, _)| now.saturating_duration_since(*at) < REMEMBERED);
        }
        if asked.len() >= MAX_REMEMBERED {
            asked.clear();
        }
        asked.insert((Arc::clone(database), user.to_owned()), (now, password));
    }

    pub(super) fn forget(&self, database: &Arc<str>, user: &str) {
        self.asked().remove(&(Arc::clone(database), user.to_owned()));
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.asked.lock().expect("no panic while users are held")
    }

    /// The SCRAM secret of a user's password. Its salt stays as long as the process, as that of a stored secret would:
    /// by it nobody can tell who has one stored.
    pub(super) fn secret_of(&self, user: &str, password: &str, iterations: NonZeroU32) -> ScramSecret {
        let mut made = self.made.lock().expect("no panic while secrets are held");
        if let Some(known) = made.get(user)
            && known.password == password
            && known.iterations == iterations
        {
            return known.secret.clone();
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.mock_key);
        let salt = hmac::sign(&key, format!("salt:{user}").as_bytes());
        let secret = ScramSecret::of_password(password.as_bytes(), &salt.as_ref()[..16], iterations);
        if made.len() >= MAX_REMEMBERED {
            made.clear();
        }
        let entry = Made { password: password.to_owned(), iterations, secret: secret.clone() };
        made.insert(user.to_owned(), entry);
        secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> StoredPassword {
        StoredPassword::Plain(text.into())
    }

    #[test]
    fn an_answer_counts_for_a_while_and_can_be_forgotten() {
        let (state, now, shop) = (LoginState::default(), Instant::now(), Arc::from("shop"));
        state.remember(&shop, "app", plain("x"), now);
        assert_eq!(state.remembered(&shop, "app", now), Some(plain("x")));
        assert_eq!(state.remembered(&Arc::from("other"), "app", now), None);
        assert_eq!(state.remembered(&shop, "app", now + REMEMBERED), None);
        state.forget(&shop, "app");
        assert_eq!(state.remembered(&shop, "app", now), None);
    }

    #[test]
    fn never_more_users_are_remembered_than_fit() {
        let (state, now, shop) = (LoginState::default(), Instant::now(), Arc::from("shop"));
        for n in 0..=MAX_REMEMBERED {
            state.remember(&shop, &n.to_string(), plain("x"), now);
        }
        assert!(state.asked().len() <= MAX_REMEMBERED);
    }

    #[test]
    fn a_secret_is_made_once_for_a_password_and_opens_with_it_alone() {
        let (state, rounds) = (LoginState::default(), NonZeroU32::new(2).unwrap());
        let first = state.secret_of("app", "old", rounds);
        assert!(first == state.secret_of("app", "old", rounds) && first.verify(b"old"));
        let second = state.secret_of("app", "new", rounds);
        assert!(second.verify(b"new") && !second.verify(b"old"));
        assert!(!state.mock_secret("app").verify(b"new"));
    }
}
