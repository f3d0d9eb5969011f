//! Time as a value, so that tests can set it.

use std::time::{Duration, UNIX_EPOCH};

/// Seconds since 1970-01-01 UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// This many seconds later.
    pub fn plus(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds))
    }
    /// Seconds since `earlier`, 0 if that lies ahead.
    pub fn since(self, earlier: Time) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = i64::try_from(self.0).unwrap_or(i64::MAX);
        match chrono::DateTime::from_timestamp(seconds, 0) {
            Some(time) => write!(f, "{}", time.format("%Y-%m-%d %H:%M:%S UTC")),
            None => write!(f, "{} s after 1970", self.0),
        }
    }
}

/// Tells the time.
#[derive(Debug, Clone, Copy)]
pub struct Clock(fn() -> Time);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        #[allow(clippy::disallowed_methods)]
        fn now() -> Time {
            Time(
                std::time::SystemTime::now()
                    .duration_since(UNIX_EPOCH)
                    .unwrap_or(Duration::ZERO)
                    .as_secs(),
            )
        }
        Self(now)
    }
    /// A clock that is read by `read`, for tests.
    pub fn from_fn(read: fn() -> Time) -> Self {
        Self(read)
    }
    /// What time it is.
    pub fn now(&self) -> Time {
        (self.0)()
    }
}
