//! The little of XML that the cloud's answers need.

/// The texts of every element with this name. What is no XML has none.
pub fn texts(xml: &str, name: &str) -> Vec<String> {
    texts_in(xml, None, name)
}

/// The same, of those that stand right in an element `parent`, where one is named.
pub fn texts_in(xml: &str, parent: Option<&str>, name: &str) -> Vec<String> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut out = Vec::new();
    let mut around: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<String> = None;
    loop {
        match reader.read_event() {
            Ok(Event::Start(e)) => {
                let of = parent.is_none_or(|p| around.last().is_some_and(|a| a == p.as_bytes()));
                if of && e.local_name().as_ref() == name.as_bytes() {
                    open = Some(String::new());
                }
                around.push(e.local_name().as_ref().to_vec());
            }
            Ok(Event::Text(e)) => {
                if let (Some(open), Ok(text)) = (&mut open, e.decode()) {
                    open.push_str(&text);
                }
            }
            Ok(Event::GeneralRef(e)) => {
                if let (Some(open), Ok(Some(c))) = (&mut open, e.resolve_char_ref()) {
                    open.push(c);
                } else if let Some(open) = &mut open {
                    let name = e.decode().unwrap_or_default().into_owned();
                    open.push_str(
                        quick_xml::escape::resolve_predefined_entity(&name).unwrap_or(""),
                    );
                }
            }
            Ok(Event::End(e)) => {
                around.pop();
                if e.local_name().as_ref() == name.as_bytes() {
                    out.extend(open.take());
                }
            }
            Ok(Event::Eof) | Err(_) => return out,
            Ok(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_that_of_its_parent() {
        let xml =
            "<R><Arn>no</Arn><Role><Last><Arn>no</Arn></Last><Empty/><Arn>yes</Arn></Role></R>";
        assert_eq!(texts_in(xml, Some("Role"), "Arn"), ["yes"]);
        assert_eq!(texts(xml, "Arn").len(), 3);
    }

    #[test]
    fn elements_are_found_by_their_name() {
        let xml = "<?xml version=\"1.0\"?><A xmlns=\"x\"><Status>Enabled</Status><n:Mode>a &amp; b&#33;</n:Mode><Days>\n</Days></A>";
        assert_eq!(texts(xml, "Status"), ["Enabled"]);
        assert_eq!(texts(xml, "Mode"), ["a & b!"]);
        assert_eq!(texts(xml, "Days"), ["\n"]);
        assert_eq!(texts(xml, "Years"), Vec::<String>::new());
        assert_eq!(texts("<Status>Enabled", "Status"), Vec::<String>::new());
        assert_eq!(texts("{\"Status\": 1}", "Status"), Vec::<String>::new());
        assert_eq!(
            texts(
                "<!DOCTYPE a [<!ENTITY b \"c\">]><Status>&b;</Status>",
                "Status"
            ),
            [""]
        );
    }
}
