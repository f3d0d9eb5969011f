//! The one clock of the local GitHub, settable so that timers, expiries and OIDC ages can be tested.
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Seconds since the epoch, either of the machine or fixed, plus an offset that tests may move.
#[derive(Clone, Debug)]
pub struct Clock {
    base: Option<i64>,
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self {
            base: None,
            offset: Arc::default(),
        }
    }

    /// A clock that stands at `unix` until it is advanced.
    pub fn fixed(unix: i64) -> Self {
        Self {
            base: Some(unix),
            offset: Arc::default(),
        }
    }

    /// Seconds since the epoch.
    pub fn now(&self) -> i64 {
        self.base.unwrap_or_else(machine_seconds) + self.offset.load(Ordering::Relaxed)
    }

    /// Moves the clock; every clone sees it.
    pub fn advance(&self, seconds: i64) {
        self.offset.fetch_add(seconds, Ordering::Relaxed);
    }

    /// Sets the offset to the underlying clock, in seconds.
    pub fn set_offset(&self, seconds: i64) {
        self.offset.store(seconds, Ordering::Relaxed);
    }
}

#[allow(clippy::disallowed_methods)] // the one real clock of this room
fn machine_seconds() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// `2026-11-21T06:25:04Z`, the form of every time in GitHub's REST API.
pub fn iso(unix: i64) -> String {
    let (days, rest) = (unix.div_euclid(86_400), unix.rem_euclid(86_400));
    // Howard Hinnant's civil_from_days: proleptic Gregorian, era of 400 years.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iso_is_what_date_prints() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(1_784_073_600), "2026-07-15T00:00:00Z");
        assert_eq!(iso(951_827_696), "2000-02-29T12:34:56Z");
    }
}
