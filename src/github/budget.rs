//! What calls would cost, said before they are made.
//!
//! Source: docs.github.com, "Rate limits for the REST API": 5,000 calls an hour for a token (an
//! App has more), 500 calls an hour that create content, whoever makes them.

use super::limit::Allowance;

/// Calls that create content and that GitHub takes in an hour.
const CONTENT_AN_HOUR: u64 = 500;

/// About how much is asked of GitHub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Calls of the REST interface; each costs one of the hour's.
    pub calls: u64,
    /// Points of GraphQL.
    pub points: u64,
    /// How many of the calls create something that people see.
    pub creates: u64,
}

impl std::ops::AddAssign for Budget {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.points += other.points;
        self.creates += other.creates;
    }
}

impl std::ops::Mul<u64> for Budget {
    type Output = Self;
    fn mul(self, times: u64) -> Self {
        Self {
            calls: self.calls * times,
            points: self.points * times,
            creates: self.creates * times,
        }
    }
}

impl Budget {
    /// One line for people.
    pub fn line(&self, left: Option<Allowance>) -> String {
        let mut out = format!(
            "about {}, {} of them create content",
            count(self.calls, "call", "calls"),
            thousands(self.creates)
        );
        if self.points > 0 {
            out.push_str(&format!(
                ", and {}",
                count(self.points, "point of GraphQL", "points of GraphQL")
            ));
        }
        if let Some(left) = left {
            let (remaining, limit) = (thousands(left.remaining), thousands(left.limit));
            out.push_str(&format!("; {remaining} of {limit} left this hour"));
        }
        out
    }

    /// Why it may not be done within the hour.
    pub fn warning(&self, left: Option<Allowance>) -> Option<String> {
        if let Some(left) = left.filter(|l| self.calls > l.remaining) {
            return Some(format!(
                "GitHub's limit leaves {} of about {}; there are more again at {}. What does not fit waits, or is done by the next sweep",
                count(left.remaining, "call", "calls"),
                thousands(self.calls),
                left.reset,
            ));
        }
        (self.creates > CONTENT_AN_HOUR).then(|| {
            format!(
                "GitHub takes {CONTENT_AN_HOUR} calls an hour that create content, and about {} are ahead. What does not fit waits, or is done by the next sweep",
                thousands(self.creates)
            )
        })
    }
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        thousands(number),
        if number == 1 { one } else { many }
    )
}

/// 4988 as `4,988`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;

    fn left(remaining: u64) -> Option<Allowance> {
        Some(Allowance {
            limit: 5_000,
            remaining,
            reset: Time(1_795_282_800),
        })
    }

    #[test]
    fn it_is_said_in_one_line() {
        let budget = Budget {
            calls: 12,
            points: 0,
            creates: 3,
        };
        assert_eq!(
            budget.line(None),
            "about 12 calls, 3 of them create content"
        );
        assert_eq!(
            budget.line(left(4_988)),
            "about 12 calls, 3 of them create content; 4,988 of 5,000 left this hour"
        );
        let mut sum = budget * 1_000;
        sum += Budget {
            calls: 0,
            points: 1,
            creates: 0,
        };
        assert_eq!(
            sum.line(None),
            "about 12,000 calls, 3,000 of them create content, and 1 point of GraphQL"
        );
    }

    #[test]
    fn what_does_not_fit_is_a_warning() {
        let small = Budget {
            calls: 12,
            points: 0,
            creates: 3,
        };
        assert_eq!(small.warning(None), None);
        assert_eq!(small.warning(left(12)), None);
        let warning = small.warning(left(11)).unwrap();
        assert!(
            warning.contains("11 calls of about 12; there are more again at 2026-11-21 "),
            "{warning}"
        );
        let large = Budget {
            calls: 1_500,
            points: 0,
            creates: 501,
        };
        assert!(
            large
                .warning(left(4_000))
                .unwrap()
                .contains("about 501 are ahead")
        );
    }
}
