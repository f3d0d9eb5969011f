//! What the log says about a period, as an auditor asks: the population of all applies, what was
//! tested on each of them, and the exceptions.

use super::event::{ApplyResult, Event, Person};
use super::record::Record;
use super::verify::Verdict;
use crate::clock::Time;
use crate::digest::Digest;
use crate::estate::{CustomerId, StackId};
use serde::Serialize;
use std::collections::BTreeMap;

/// Which records: from the first second to before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Period {
    /// The first second.
    pub since: Time,
    /// The first second after.
    pub until: Time,
}

impl Period {
    fn holds(&self, at: Time) -> bool {
        self.since <= at && at < self.until
    }
}

/// One apply: a line of the population.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Apply {
    /// Whose.
    pub customer: CustomerId,
    /// When it began.
    pub at: Time,
    /// The stack.
    pub stack: Option<StackId>,
    /// The request.
    pub request: String,
    /// Its attempt.
    pub attempt: u32,
    /// The commit.
    pub commit: Option<String>,
    /// Who had a part in the change.
    pub authors: Vec<String>,
    /// Whether the environment demands an approval and the plan changes something.
    pub approval_needed: bool,
    /// Who approved.
    pub approved_by: Option<String>,
    /// The plan that was made.
    pub planned: Option<Digest>,
    /// The plan that was approved, or let pass.
    pub approved: Option<Digest>,
    /// The plan that was applied.
    pub applied: Digest,
    /// How many resources it changes.
    pub changes: u64,
    /// How it ended: `applied`, `failed`, `refused`, or `no result`.
    pub result: String,
    /// Number of the record of its beginning.
    pub record: u64,
    /// Number of the record of its end.
    pub end: Option<u64>,
    /// The workflow run.
    pub run: u64,
    /// What is wrong with it; nothing is the rule.
    pub exceptions: Vec<String>,
}

/// A question that is asked of every apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Test {
    /// What must hold.
    pub name: &'static str,
    /// How many applies it was asked of.
    pub tested: usize,
    /// For how many it does not hold.
    pub failed: usize,
}

/// What was last applied to a stack, as the store says beside the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastApply {
    /// The stack.
    pub stack: StackId,
    /// The plan.
    pub plan: Digest,
    /// When.
    pub at: Time,
}

/// Everything that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The period.
    pub period: Period,
    /// The applies that began in it.
    pub applies: Vec<Apply>,
    /// What was tested.
    pub tests: Vec<Test>,
    /// How many records of each kind.
    pub kinds: BTreeMap<String, usize>,
    /// What was refused, by code.
    pub refusals: BTreeMap<String, usize>,
    /// How often who approved.
    pub approvers: BTreeMap<String, usize>,
    /// The oldest record of the log.
    pub first: Option<Time>,
    /// Stacks whose last apply was looked for in the log.
    pub covered: usize,
    /// Those that the log does not have.
    pub uncovered: Vec<String>,
}

const INDEPENDENT: &str =
    "the approver had no part in the change (neither author, committer, opener, merger nor sender)";
const DIGEST: &str = "the plan that was applied is the one that was planned and approved";
const APPROVED: &str = "there is an approval where the environment demands one";
const ENDED: &str = "the apply came to a result";

/// Gathers the evidence out of a log that was verified.
pub fn gather(verdict: &Verdict, period: Period, last: &[LastApply]) -> Evidence {
    let mut out = Evidence {
        period,
        applies: Vec::new(),
        tests: Vec::new(),
        kinds: BTreeMap::new(),
        refusals: BTreeMap::new(),
        approvers: BTreeMap::new(),
        first: verdict.chains.values().flatten().map(|r| r.at).min(),
        covered: 0,
        uncovered: Vec::new(),
    };
    let mut failed: BTreeMap<&'static str, usize> = BTreeMap::new();
    let mut needed = 0;
    for (customer, records) in &verdict.chains {
        for (index, record) in records.iter().enumerate() {
            if !period.holds(record.at) {
                continue;
            }
            *out.kinds.entry(record.kind().to_owned()).or_default() += 1;
            match record.event() {
                Some(Event::Refused { code, .. }) => *out.refusals.entry(code).or_default() += 1,
                Some(Event::Approved { by: Some(who), .. }) => {
                    *out.approvers.entry(who).or_default() += 1;
                }
                _ => {}
            }
            if let Some(mut apply) = begun(customer, records, index) {
                needed += usize::from(apply.approval_needed);
                judge(&mut apply, &records[..index], &mut failed);
                out.applies.push(apply);
            }
        }
    }
    out.applies.sort_by_key(|a| a.at);
    let all = out.applies.len();
    for (name, tested) in [
        (APPROVED, needed),
        (INDEPENDENT, needed),
        (DIGEST, all),
        (ENDED, all),
    ] {
        out.tests.push(Test {
            name,
            tested,
            failed: failed.get(name).copied().unwrap_or(0),
        });
    }
    for known in last.iter().filter(|l| period.holds(l.at)) {
        out.covered += 1;
        if !is_in_log(verdict, known) {
            out.uncovered.push(known.stack.to_string());
        }
    }
    out
}

/// Whether the log has the apply that the store knows of.
fn is_in_log(verdict: &Verdict, known: &LastApply) -> bool {
    let chain = verdict.chains.get(&known.stack.customer);
    chain.into_iter().flatten().any(|r| {
        r.stack().as_ref() == Some(&known.stack)
            && matches!(r.event(), Some(Event::ApplyBegun { digest, .. }) if digest == known.plan)
    })
}

/// The apply that begins with a record, if it is one.
fn begun(customer: &CustomerId, records: &[Record], index: usize) -> Option<Apply> {
    let record = records.get(index)?;
    let Some(Event::ApplyBegun {
        attempt,
        digest,
        gated,
        changes,
        approved_by,
        inputs: _,
    }) = record.event()
    else {
        return None;
    };
    let same = |r: &&Record| r.request() == record.request() && r.stack() == record.stack();
    let end = records
        .iter()
        .skip(index + 1)
        .find_map(|r| match r.event() {
            Some(Event::ApplyEnded {
                attempt: a, result, ..
            }) if a == attempt && same(&r) => Some((r.seq, result)),
            _ => None,
        });
    Some(Apply {
        customer: customer.clone(),
        at: record.at,
        stack: record.stack(),
        request: record.request().unwrap_or_default().to_owned(),
        attempt,
        commit: None,
        authors: Vec::new(),
        approval_needed: gated && changes > 0,
        approved_by,
        planned: None,
        approved: None,
        applied: digest,
        changes,
        result: end
            .map_or("no result", |(_, r): (u64, ApplyResult)| r.word())
            .to_owned(),
        record: record.seq,
        end: end.map(|(seq, _)| seq),
        run: record.actor().map_or(0, |a| a.run),
        exceptions: Vec::new(),
    })
}

/// Looks back from an apply for who wrote it, what was planned and what was approved, and tests it.
fn judge(apply: &mut Apply, before: &[Record], failed: &mut BTreeMap<&'static str, usize>) {
    let mut people: Vec<Person> = Vec::new();
    let mut unknown = false;
    let mut opened = false;
    for record in before
        .iter()
        .rev()
        .filter(|r| r.request() == Some(apply.request.as_str()))
    {
        let same = record.stack() == apply.stack;
        match record.event() {
            Some(Event::RequestOpened {
                attempt,
                commit,
                authors,
                unknown_author,
                ..
            }) if attempt == apply.attempt && !opened => {
                opened = true;
                apply.commit = Some(commit.to_string());
                people = authors;
                people.extend(record.actor().and_then(|a| a.sender));
                unknown = unknown_author;
            }
            Some(Event::Planned {
                attempt, digest, ..
            }) if same && attempt == apply.attempt => {
                apply.planned.get_or_insert(digest);
            }
            Some(Event::Approved {
                attempt,
                digest,
                by,
                ..
            }) if same && attempt == apply.attempt && apply.approved.is_none() => {
                apply.approved = Some(digest);
                if by != apply.approved_by {
                    apply.approved_by = None;
                }
            }
            _ => {}
        }
    }
    apply.authors = people.iter().map(|p| p.login.clone()).collect();
    apply.authors.sort();
    apply.authors.dedup();
    let mut say = |test: &'static str, text: &str| {
        *failed.entry(test).or_default() += 1;
        apply.exceptions.push(text.to_owned());
    };
    if apply.approval_needed {
        let Some(who) = apply.approved_by.clone() else {
            say(APPROVED, "no approval is recorded, although one was needed");
            say(INDEPENDENT, "nobody can be compared with its authors");
            return finish(apply, failed);
        };
        let took_part = people.iter().any(|p| p.login.eq_ignore_ascii_case(&who));
        if took_part {
            say(INDEPENDENT, "the approver had a part in the change");
        } else if unknown {
            say(
                INDEPENDENT,
                "an author of the change has no account, so they may be the approver",
            );
        } else if !opened {
            say(
                INDEPENDENT,
                "the request's opening is not recorded, so its authors are not known",
            );
        }
    }
    finish(apply, failed);
}

fn finish(apply: &mut Apply, failed: &mut BTreeMap<&'static str, usize>) {
    let mut say = |test: &'static str, text: String| {
        *failed.entry(test).or_default() += 1;
        apply.exceptions.push(text);
    };
    let applied = Some(&apply.applied);
    if apply.planned.as_ref() != applied {
        say(
            DIGEST,
            "the plan that was applied is not the one that was recorded as planned".into(),
        );
    } else if apply.approved.as_ref() != applied {
        say(
            DIGEST,
            "the plan that was applied is not the one that was recorded as approved".into(),
        );
    }
    if apply.end.is_none() {
        say(
            ENDED,
            "no result is recorded: the run was stopped, or is still at work".into(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::damage_tests::{customer, draft};
    use crate::audit::event::Actor;
    use crate::audit::record::Place;

    fn person(id: u64, login: &str) -> Person {
        Person {
            id,
            login: login.into(),
        }
    }

    /// A request of alice that is planned, approved and applied; `bend` changes one of its events.
    fn evidence(bend: impl Fn(usize, Event) -> Option<Event>) -> Evidence {
        let digest = Digest::of(b"plan");
        let Ok(commit) = crate::estate::Sha::new(&"a".repeat(40)) else {
            panic!()
        };
        let events = [
            Event::RequestOpened {
                attempt: 1,
                commit,
                authors: vec![person(1, "alice")],
                unknown_author: false,
                stacks: Vec::new(),
                estate: digest.clone(),
            },
            Event::Planned {
                attempt: 1,
                digest: digest.clone(),
                inputs: digest.clone(),
                changes: BTreeMap::new(),
            },
            Event::Approved {
                attempt: 1,
                digest: digest.clone(),
                by: Some("olivia".into()),
                environment: "production-apply".into(),
                same_as: None,
            },
            Event::ApplyBegun {
                attempt: 1,
                digest: digest.clone(),
                inputs: digest.clone(),
                gated: true,
                changes: 2,
                approved_by: Some("olivia".into()),
            },
            Event::ApplyEnded {
                attempt: 1,
                digest: Some(digest),
                result: ApplyResult::Applied,
                code: None,
                reason: None,
            },
        ];
        let acme = customer("acme");
        let mut records: Vec<Record> = Vec::new();
        for (n, event) in events.into_iter().enumerate() {
            let Some(event) = bend(n, event) else {
                continue;
            };
            let place = Place {
                customer: &acme,
                seq: records.len() as u64 + 1,
                prev: records.last().map(|r| r.hash.clone()),
                log: 0,
                at: Time(100 + n as u64),
            };
            let mut draft = draft(1);
            draft.event = event;
            draft.actor = Actor {
                sender: Some(person(2, "Bob")),
                ..draft.actor
            };
            records.extend(Record::new(&place, &draft, None));
        }
        let verdict = Verdict {
            chains: BTreeMap::from([(acme, records)]),
            ..Verdict::default()
        };
        let period = Period {
            since: Time(0),
            until: Time(1_000),
        };
        gather(&verdict, period, &[])
    }

    fn failed(evidence: &Evidence) -> Vec<&'static str> {
        let all = evidence.tests.iter().filter(|t| t.failed > 0);
        all.map(|t| t.name).collect()
    }

    #[test]
    fn what_is_in_order_has_no_exception() {
        let evidence = evidence(|_, e| Some(e));
        assert_eq!(failed(&evidence), Vec::<&str>::new());
        let [apply] = evidence.applies.as_slice() else {
            panic!("{evidence:?}")
        };
        assert_eq!(apply.authors, ["Bob", "alice"]);
        assert_eq!(apply.approved_by.as_deref(), Some("olivia"));
        assert_eq!((apply.result.as_str(), apply.end), ("applied", Some(5)));
        assert!(evidence.tests.iter().all(|t| t.tested == 1));
    }

    fn approver(login: Option<&str>) -> impl Fn(usize, Event) -> Option<Event> {
        let login = login.map(str::to_owned);
        move |_, event| {
            Some(match event {
                Event::Approved {
                    attempt,
                    digest,
                    environment,
                    ..
                } => Event::Approved {
                    attempt,
                    digest,
                    environment,
                    by: login.clone(),
                    same_as: None,
                },
                Event::ApplyBegun {
                    attempt,
                    digest,
                    inputs,
                    gated,
                    changes,
                    ..
                } => Event::ApplyBegun {
                    attempt,
                    digest,
                    inputs,
                    gated,
                    changes,
                    approved_by: login.clone(),
                },
                other => other,
            })
        }
    }

    #[test]
    fn t14_an_approver_with_a_part_in_the_change_is_an_exception() {
        for login in ["alice", "ALICE", "bob"] {
            assert_eq!(failed(&evidence(approver(Some(login)))), [INDEPENDENT]);
        }
        assert_eq!(failed(&evidence(approver(None))), [APPROVED, INDEPENDENT]);
    }

    #[test]
    fn each_record_that_is_not_there_is_an_exception() {
        let without = |gone: usize| evidence(move |n, e| (n != gone).then_some(e));
        assert_eq!(failed(&without(0)), [INDEPENDENT]);
        assert_eq!(failed(&without(1)), [DIGEST]);
        assert_eq!(failed(&without(2)), [DIGEST]);
        assert_eq!(without(3).applies, []);
        assert_eq!(failed(&without(4)), [ENDED]);
    }

    #[test]
    fn another_plan_than_the_approved_one_is_an_exception() {
        for at in [1, 2] {
            let other = evidence(move |n, event| {
                let other = Digest::of(b"other");
                Some(match event {
                    Event::Planned {
                        attempt,
                        inputs,
                        changes,
                        ..
                    } if n == at => Event::Planned {
                        attempt,
                        digest: other,
                        inputs,
                        changes,
                    },
                    Event::Approved {
                        attempt,
                        by,
                        environment,
                        ..
                    } if n == at => Event::Approved {
                        attempt,
                        digest: other,
                        by,
                        environment,
                        same_as: None,
                    },
                    event => event,
                })
            });
            assert_eq!(failed(&other), [DIGEST]);
        }
    }
}
