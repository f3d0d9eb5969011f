use super::super::fixture::lines;
use super::*;

const PATH: &str = "customers/acme/web/secrets.yaml";
const ENC: &str = "ENC[AES256_GCM,data:zlGN,iv:ql9m,tag:SqVS,type:str]";

fn found(content: &str) -> Vec<String> {
    let mut files = Files::new();
    files.insert(PATH, content.as_bytes());
    lines(check(&files))
}

/// Positions only; what follows is the same everywhere.
fn places(content: &str) -> Vec<String> {
    found(content)
        .iter()
        .map(|l| {
            assert!(l.ends_with("[secret-plain]"), "{l}");
            l[PATH.len() + 1..]
                .split(": ")
                .next()
                .unwrap_or_default()
                .to_owned()
        })
        .collect()
}

#[test]
fn t15_plain_text_is_found_and_not_shown() {
    let content =
        "db:\n  password: CANARY-hunter2\n  ports: [5432, true]\n  empty: \"\"\n  none:\n";
    let found = found(content);
    assert_eq!(
        found[0],
        format!(
            "{PATH}:2:13: `db.password` is plain text in a file for secrets; {INSTEAD}, and replace the secret, since it stands in git's history [secret-plain]"
        )
    );
    assert_eq!(found.len(), 3);
    assert!(!found.concat().contains("CANARY"), "{found:?}");
    assert_eq!(places("just a text\n"), ["1:1"]);
}

#[test]
fn t15_a_file_that_cannot_be_read_is_not_taken_for_encrypted_nor_quoted() {
    for content in [
        "a: [CANARY\n",
        "a: b: CANARY\n",
        "a: !CANARY x\n",
        "\u{0}GITCRYPT",
    ] {
        let found = found(content);
        assert_eq!(found.len(), 1, "{content}");
        assert!(found[0].contains("nobody can tell"), "{found:?}");
        assert!(!found[0].contains("CANARY"), "{found:?}");
    }
}

#[test]
fn sops_is_encrypted_down_to_what_it_leaves_plain_itself() {
    let mac = format!("sops:\n  age:\n    - recipient: age1x\n  mac: {ENC}\n");
    let clean =
        format!("a: {ENC}\nb: {{c: [{ENC:?}], d: null, e: ''}}\nnote_unencrypted: yes\n{mac}");
    assert_eq!(places(&clean), Vec::<String>::new());
    assert_eq!(places(&format!("a: {ENC}\nb: plain\n{mac}")), ["2:4"]);
    assert_eq!(
        places(&format!("a: {ENC}\n")),
        ["1:4"],
        "without metadata nothing opens it"
    );
    let no_mac = format!("a: {ENC}\nsops:\n  mac: plain\n");
    assert_eq!(places(&no_mac), ["1:4"]);
    let secret = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\nstringData:\n  k: {ENC}\n{mac}  encrypted_regex: ^(data|stringData)$\n"
    );
    assert_eq!(places(&secret), Vec::<String>::new());
    assert_eq!(
        places(&secret.replace(&format!("k: {ENC}"), &format!("k: {ENC}\n  l: plain"))),
        ["6:6"]
    );
}

#[test]
fn t15_a_rule_of_sops_that_leaves_all_plain_does_not_hide_it() {
    let all = format!("a: one\nb: two\nsops:\n  mac: {ENC}\n  unencrypted_regex: .*\n");
    assert_eq!(places(&all), ["1:4", "2:4"]);
    let broken = format!("a: {ENC}\nb: two\nsops:\n  mac: {ENC}\n  unencrypted_regex: '('\n");
    assert_eq!(places(&broken), ["2:4"]);
}

#[test]
fn sealed_secrets_hold_sealed_data() {
    let seal = |data: &str| {
        format!(
            "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata:\n  name: app\nspec:\n  encryptedData:\n    k: {data}\n  template:\n    metadata: {{name: app}}\n"
        )
    };
    let good = format!("AgB{}==", "x1+/".repeat(90));
    assert_eq!(places(&seal(&good)), Vec::<String>::new());
    assert_eq!(places(&seal("hunter2")), ["7:8"]);
    let template = format!(
        "{}    data:\n      url: plain\n      ok: 'u={{{{ .k }}}}'\n",
        seal(&good)
    );
    assert_eq!(places(&template), ["11:12"]);
    let two = format!("---\n{}---\n{}", seal(&good), seal("hunter2"));
    assert_eq!(places(&two), ["18:8"]);
}

#[test]
fn placeholders_and_references_are_no_secrets() {
    let clean = "a: <path:kv/data/acme#password>\nb: 'postgres://u:<path:kv/data/acme#pw | base64decode>@db'\nc: vault:secret/data/acme#key\nd: ${vault:secret/acme#key}\ne: ref+vault://kv/acme#/key\nf: '>>vault:secret/data/x#k'\n";
    assert_eq!(places(clean), Vec::<String>::new());
    assert_eq!(
        places("a: <path:kv/data/acme>\nb: <password>\nc: vault for a#b\n"),
        ["1:4", "2:4", "3:4"]
    );
    let external = "apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nspec:\n  data:\n    - secretKey: k\n      remoteRef: {key: acme, property: k}\n";
    assert_eq!(places(external), Vec::<String>::new());
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData:\n  a: <path:kv/data/acme#a>\n  b: plain\n";
    assert_eq!(places(secret), ["6:6"]);
    assert_eq!(places("kind: Secret\ndata: {a: b}\n"), ["1:7", "2:11"]);
}

#[test]
fn only_files_for_secrets_are_judged() {
    let mut files = Files::new();
    files.insert("customers/acme/web/values.yaml", *b"password: x\n");
    files.insert("products/web/secrets.yaml", *b"password: x\n");
    assert_eq!(lines(check(&files)), Vec::<String>::new());
}
