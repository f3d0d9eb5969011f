//! The controls that the log holds evidence for. Names are those of the AICPA's 2017 Trust Services
//! Criteria and of Annex A of ISO/IEC 27001:2022.

use serde::Serialize;

/// What an auditor looks at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Focus {
    /// Every apply: who wrote, who approved, what was applied.
    Changes,
    /// Who let changes pass, and who was not let pass.
    Access,
    /// What is recorded, and whether the record can be trusted.
    Logging,
}

/// A control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Control {
    /// As it is written, such as `CC8.1`.
    pub id: &'static str,
    /// Where it stands.
    pub framework: &'static str,
    /// What it is called, or what it is about.
    pub name: &'static str,
    /// What is looked at.
    pub focus: Focus,
    /// What this report shows for it, and what it does not.
    pub shows: &'static str,
}

const SOC2: &str = "SOC 2 (Trust Services Criteria)";
const ISO: &str = "ISO/IEC 27001:2022, Annex A";

/// All of them.
pub const ALL: [Control; 7] = [
    Control {
        id: "CC6.1",
        framework: SOC2,
        name: "logical access to protected information assets",
        focus: Focus::Access,
        shows: "that infrastructure of customers was changed by approved plans alone, and by whom they were approved; not who has an account at GitHub or at the cloud",
    },
    Control {
        id: "CC7.2",
        framework: SOC2,
        name: "monitoring of system components for anomalies",
        focus: Focus::Logging,
        shows: "that every request, refusal, plan and apply is recorded, which applies never came to a result, and that the record is whole; not that somebody looked at it",
    },
    Control {
        id: "CC8.1",
        framework: SOC2,
        name: "authorization, testing, approval and implementation of changes",
        focus: Focus::Changes,
        shows: "for every apply who wrote the change, who approved which plan, and that this plan was applied; not how it was designed",
    },
    Control {
        id: "A.5.3",
        framework: ISO,
        name: "Segregation of duties",
        focus: Focus::Access,
        shows: "that no approver had a part in the change they approved; not that two accounts are two persons",
    },
    Control {
        id: "A.5.15",
        framework: ISO,
        name: "Access control",
        focus: Focus::Access,
        shows: "who let changes of customers' infrastructure pass, and what was refused; not the rules of GitHub or of the cloud",
    },
    Control {
        id: "A.8.15",
        framework: ISO,
        name: "Logging",
        focus: Focus::Logging,
        shows: "what is recorded, that it is whole and signed, and since when; not how long the store keeps it",
    },
    Control {
        id: "A.8.32",
        framework: ISO,
        name: "Change management",
        focus: Focus::Changes,
        shows: "for every apply who wrote the change, who approved which plan, and that this plan was applied; not how it was designed",
    },
];

/// The control of that name, however it is spelt: `cc8.1`, `A.8.32`, `8.32`.
pub fn find(text: &str) -> Option<&'static Control> {
    let plain = |t: &str| t.to_ascii_uppercase().trim_start_matches("A.").to_owned();
    ALL.iter().find(|c| plain(c.id) == plain(text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_found_by_their_usual_spellings() {
        for text in ["CC8.1", "cc8.1", " CC8.1 "] {
            assert_eq!(find(text).map(|c| c.id), Some("CC8.1"));
        }
        for text in ["A.8.32", "a.8.32", "8.32"] {
            assert_eq!(find(text).map(|c| c.id), Some("A.8.32"));
        }
        assert_eq!(find("CC9.9"), None);
    }
}
