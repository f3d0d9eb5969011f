//! Names of customers for people, and the ids that are made of them. Nothing is folded silently:
//! a letter that is not ASCII ends in a refusal with a proposal.

use super::RegistryError;
use crate::estate::CustomerId;
use crate::estate::ids::shown;
use crate::report::escape::terminal;

/// Longest name, contact, region and so on, in characters.
const LONGEST: usize = 200;
/// Longest id.
const ID: usize = 40;

/// A text for people that goes into the registry: one line, nothing hidden, nothing that looks
/// like something else.
pub fn text(what: &str, given: &str) -> Result<String, RegistryError> {
    let refuse = |why: String, next: &str| RegistryError::refused(format!("{what} {why}"), next);
    if given.trim().is_empty() {
        return Err(refuse("is empty".to_owned(), "write one"));
    }
    if given.trim() != given {
        return Err(refuse(
            format!("`{}` begins or ends with a blank", shown(given)),
            "write it without",
        ));
    }
    if given.chars().count() > LONGEST {
        return Err(refuse(
            format!("has more than {LONGEST} characters"),
            "write a shorter one",
        ));
    }
    // `terminal` writes out what nobody can see, and letters among Latin ones that only look so.
    let seen = terminal(given);
    if seen != *given || given.contains(['\n', '\t']) {
        return Err(refuse(
            format!(
                "`{}` holds a character that cannot be seen, controls a terminal, or looks like another letter",
                shown(given)
            ),
            "type it again by hand instead of copying it",
        ));
    }
    Ok(given.to_owned())
}

/// What a letter is written as where only ASCII is: what speakers of the language do themselves.
fn latin(c: char) -> Option<&'static str> {
    Some(match c {
        'ä' | 'æ' => "ae",
        'ö' | 'ø' | 'œ' => "oe",
        'ü' => "ue",
        'ß' => "ss",
        'å' => "aa",
        'þ' => "th",
        'à' | 'á' | 'â' | 'ã' | 'ā' | 'ă' | 'ą' => "a",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è' | 'é' | 'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì' | 'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò' | 'ó' | 'ô' | 'õ' | 'ō' | 'ő' => "o",
        'ŕ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ţ' | 'ť' | 'ț' => "t",
        'ù' | 'ú' | 'û' | 'ũ' | 'ū' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    })
}

/// Small letters and digits; everything between them is one `-`; apostrophes are nothing. `None`
/// with a letter that has no Latin form.
fn folded(name: &str) -> Option<String> {
    let mut out = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        let part = match c {
            '\'' | '’' => continue,
            // What `İ` leaves behind.
            '\u{307}' => continue,
            c if c.is_ascii_alphanumeric() => {
                out.push(c);
                continue;
            }
            c if c.is_alphanumeric() => latin(c)?,
            _ => "-",
        };
        if part != "-" || !(out.is_empty() || out.ends_with('-')) {
            out.push_str(part);
        }
    }
    Some(out.trim_end_matches('-').to_owned())
}

/// The id that `name` stands for, `acme-corp` for `Acme Corp`.
pub fn id(name: &str) -> Result<CustomerId, RegistryError> {
    let given = shown(name);
    let Some(folded) = folded(name).filter(|f| !f.is_empty()) else {
        return Err(RegistryError::refused(
            format!("no id can be made of the name `{given}`"),
            "choose one with --id: 1 to 40 of a-z, 0-9 and `-`, such as `--id acme-corp`",
        ));
    };
    let proposal = shortened(&folded);
    if name.chars().any(|c| c.is_alphanumeric() && !c.is_ascii()) {
        return Err(RegistryError::refused(
            format!("the name `{given}` has letters that an id cannot have"),
            format!("if that is the id you want, say so: --id {proposal}"),
        ));
    }
    if folded.len() > ID {
        return Err(RegistryError::refused(
            format!(
                "the id `{}` would be longer than {ID} characters",
                shown(&folded)
            ),
            format!("choose a shorter one, such as --id {proposal}"),
        ));
    }
    CustomerId::new(&folded)
        .map_err(|e| RegistryError::refused(e.to_string(), "choose an id with --id"))
}

/// At most 40 characters, cut between words where there are some.
fn shortened(id: &str) -> &str {
    let Some(head) = id.get(..ID).filter(|_| id.len() > ID) else {
        return id;
    };
    let whole = id.as_bytes().get(ID) == Some(&b'-');
    let cut = head.rfind('-').filter(|at| *at > 0 && !whole);
    cut.map_or(head, |at| &head[..at]).trim_end_matches('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(name: &str) -> String {
        match id(name) {
            Ok(id) => id.to_string(),
            Err(e) => format!("{e}; {}", e.next().unwrap_or_default()),
        }
    }

    #[test]
    fn ids_are_made_of_names() {
        let names = [
            "Acme Corp",
            "acme",
            "O'Neil & Sons, Inc.",
            "3M",
            "J. P. Morgan",
            "Müller AG",
            "Łódź Störe",
            "日本電気",
            "***",
            "A name that is by far too long to be the id of anybody at all",
            "Donaudampfschifffahrtsgesellschaftskapitaensmuetze",
        ];
        let table: String = names
            .iter()
            .map(|n| format!("{n}: {}\n", said(n)))
            .collect();
        insta::assert_snapshot!(table, @r"
        Acme Corp: acme-corp
        acme: acme
        O'Neil & Sons, Inc.: oneil-sons-inc
        3M: 3m
        J. P. Morgan: j-p-morgan
        Müller AG: the name `M\u{fc}ller AG` has letters that an id cannot have; if that is the id you want, say so: --id mueller-ag
        Łódź Störe: the name `\u{141}\u{f3}d\u{17a} St\u{f6}re` has letters that an id cannot have; if that is the id you want, say so: --id lodz-stoere
        日本電気: no id can be made of the name `\u{65e5}\u{672c}\u{96fb}\u{6c17}`; choose one with --id: 1 to 40 of a-z, 0-9 and `-`, such as `--id acme-corp`
        ***: no id can be made of the name `***`; choose one with --id: 1 to 40 of a-z, 0-9 and `-`, such as `--id acme-corp`
        A name that is by far too long to be the id of anybody at all: the id `a-name-that-is-by-far-too-long-to-be-the-id-of-anybody-at-all` would be longer than 40 characters; choose a shorter one, such as --id a-name-that-is-by-far-too-long-to-be-the
        Donaudampfschifffahrtsgesellschaftskapitaensmuetze: the id `donaudampfschifffahrtsgesellschaftskapitaensmuetze` would be longer than 40 characters; choose a shorter one, such as --id donaudampfschifffahrtsgesellschaftskapit
        ");
    }

    #[test]
    fn t21_a_name_that_is_not_what_it_looks_like_is_refused() {
        for bad in [
            "",
            " ",
            " Acme",
            "Acme ",
            "Ac\nme",
            "Ac\tme",
            "Ac\u{0}me",
            "Ac\u{1b}[31mme",
            "Ac\u{202e}me",
            "Ac\u{200b}me",
            "Ac\u{feff}me",
            "\u{410}cme",
            "Acm\u{435}",
            "Acme\u{a0}Corp",
            "Acme\u{2028}",
            "A\u{ff0f}B",
        ] {
            assert!(text("the name", bad).is_err(), "{bad:?}");
        }
        assert!(text("the name", &"a".repeat(201)).is_err());
        for good in [
            "Acme Corp",
            "Müller AG",
            "日本電気",
            "Привет",
            "O'Neil & Sons (UK)",
        ] {
            assert!(text("the name", good).is_ok(), "{good:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_proposed_is_an_id(name in "[A-Za-z0-9 .,&'äöüßéñłø-]{1,80}") {
            match id(&name) {
                Ok(id) => prop_assert!(name.is_ascii(), "{id}"),
                Err(e) => {
                    let next = e.next().unwrap_or_default();
                    if let Some(proposal) = next.split("--id ").nth(1).filter(|p| !p.contains('`')) {
                        prop_assert!(CustomerId::new(proposal).is_ok(), "{proposal}");
                    }
                }
            }
        }
    }
}
