use super::*;
use crate::estate::CustomerId;
use proptest::prelude::*;
use std::collections::BTreeMap;

type Tested = Result<(), Box<dyn std::error::Error>>;

fn create(id: &str) -> Result<Step, Box<dyn std::error::Error>> {
    let files = ["metadata.yaml", "products.yaml"];
    Ok(Step::Create {
        customer: CustomerId::new(id)?,
        files: files
            .map(|f| (f.to_owned(), format!("{id} {f}\n").into_bytes()))
            .to_vec(),
    })
}

fn change(before: Option<&str>, after: &str) -> Step {
    Step::Edit {
        path: "customers/acme/metadata.yaml".to_owned(),
        before: before.map(|b| b.as_bytes().to_vec()),
        after: after.as_bytes().to_vec(),
    }
}

fn gone() -> Result<Step, Box<dyn std::error::Error>> {
    Ok(Step::Remove {
        customer: CustomerId::new("acme")?,
        files: vec![
            "customers/acme/metadata.yaml".to_owned(),
            "customers/acme/web/values.yaml".to_owned(),
        ],
    })
}

/// An estate with one customer.
fn estate() -> std::io::Result<tempfile::TempDir> {
    let dir = tempfile::tempdir()?;
    fs::create_dir_all(dir.path().join("customers/acme/web"))?;
    fs::write(dir.path().join("customers/acme/metadata.yaml"), "old\n")?;
    fs::write(dir.path().join("customers/acme/web/values.yaml"), "{}\n")?;
    Ok(dir)
}

/// What a reader sees: every file outside of the stage.
fn seen(root: &Path) -> BTreeMap<String, String> {
    let files = listed(root, "customers").unwrap_or_default();
    files
        .into_iter()
        .map(|p| {
            let text = fs::read_to_string(root.join(&p)).unwrap_or_default();
            (p, text)
        })
        .collect()
}

#[test]
fn a_plan_is_carried_out_and_nothing_is_left_behind() -> Tested {
    let dir = estate()?;
    let root = dir.path();
    let held = Held::take(root, || ())?;
    let steps = vec![create("beta")?, change(Some("old\n"), "new\n")];
    held.carry_out(&Plan { steps })?;
    assert_eq!(seen(root).len(), 4);
    assert_eq!(seen(root)["customers/acme/metadata.yaml"], "new\n");
    held.carry_out(&Plan {
        steps: vec![gone()?],
    })?;
    assert_eq!(seen(root).len(), 2);
    assert!(!root.join(STAGE).exists());
    assert!(!root.join("customers/acme").exists());
    Ok(())
}

#[test]
fn t29_a_process_killed_at_any_point_leaves_each_customer_whole() -> Tested {
    let plan = Plan {
        steps: vec![
            create("beta")?,
            change(Some("old\n"), "new\n"),
            create("delta")?,
        ],
    };
    // After each rename, and while the stage is being filled.
    for after in 0..=3 {
        for staged in [true, false] {
            let dir = estate()?;
            let root = dir.path();
            let before = seen(root);
            let moves = prepare(root, &plan)?;
            assert_eq!(
                seen(root),
                before,
                "nothing is seen before the first rename"
            );
            for one in &moves[..after] {
                one.run(root)?;
            }
            if !staged {
                // The bytes of what waited did not reach the disk in full.
                for path in listed(root, STAGE)? {
                    fs::write(root.join(path), "ha")?;
                }
            }
            let now = seen(root);
            for (path, text) in &now {
                let name = path.rsplit('/').next().unwrap_or_default();
                let whole = match path.split('/').nth(1) {
                    Some("acme") => before[path] == *text || text == "new\n",
                    Some(id) => *text == format!("{id} {name}\n"),
                    None => false,
                };
                assert!(whole, "{path}: {text}");
            }
            for id in ["beta", "delta"] {
                let files = now
                    .keys()
                    .filter(|p| p.starts_with(&format!("customers/{id}/")))
                    .count();
                assert!(files == 0 || files == 2, "{id}: {files}");
            }
            // The next process is not troubled by what is left.
            let held = Held::take(root, || ())?;
            let rest = Plan {
                steps: plan.steps[after..].to_vec(),
            };
            held.carry_out(&rest)?;
            assert_eq!(seen(root).len(), 6);
            assert!(!root.join(STAGE).exists());
        }
    }
    // A removal: the folder is there as a whole, or not at all.
    let dir = estate()?;
    let moves = prepare(
        dir.path(),
        &Plan {
            steps: vec![gone()?],
        },
    )?;
    assert_eq!(seen(dir.path()).len(), 2);
    moves[0].run(dir.path())?;
    assert_eq!(seen(dir.path()).len(), 0);
    Ok(())
}

#[test]
fn what_somebody_else_changed_is_not_overwritten() -> Tested {
    let dir = estate()?;
    let root = dir.path();
    let held = Held::take(root, || ())?;
    let before = seen(root);
    for step in [
        change(Some("older\n"), "new\n"),
        change(None, "new\n"),
        create("acme")?,
        Step::Remove {
            customer: CustomerId::new("acme")?,
            files: vec!["customers/acme/metadata.yaml".to_owned()],
        },
    ] {
        // The good step comes first and must not happen either.
        let said = held.carry_out(&Plan {
            steps: vec![create("beta")?, step],
        });
        assert!(
            matches!(said, Err(RegistryError::Refused { .. })),
            "{said:?}"
        );
        assert_eq!(seen(root), before);
    }
    std::os::unix::fs::symlink("/etc/passwd", root.join("customers/acme/link.yaml"))?;
    let link = Step::Edit {
        path: "customers/acme/link.yaml".to_owned(),
        before: Some(Vec::new()),
        after: b"x".to_vec(),
    };
    assert!(held.carry_out(&Plan { steps: vec![link] }).is_err());
    Ok(())
}

#[test]
fn t29_a_full_disk_in_the_middle_says_how_far_it_came() -> Tested {
    let dir = estate()?;
    let root = dir.path();
    let held = Held::take(root, || ())?;
    let moves = prepare(
        root,
        &Plan {
            steps: vec![create("beta")?, create("delta")?],
        },
    )?;
    moves[0].run(root)?;
    fs::write(root.join("customers/delta"), "in the way\n")?;
    assert!(moves[1].run(root).is_err());
    drop(moves);
    fs::remove_file(root.join("customers/delta"))?;
    held.carry_out(&Plan {
        steps: vec![create("delta")?],
    })?;
    assert_eq!(seen(root).len(), 6);
    Ok(())
}

#[test]
fn one_process_at_a_time() -> Tested {
    let dir = estate()?;
    let first = Held::take(dir.path(), || ())?;
    let root = dir.path().to_owned();
    let (said, heard) = std::sync::mpsc::channel();
    let other = std::thread::spawn(move || {
        Held::take(&root, || {
            let _ = said.send(());
        })
        .is_ok()
    });
    heard.recv()?;
    drop(first);
    assert!(other.join().is_ok_and(|taken| taken));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn a_plan_that_was_carried_out_has_the_outcome_that_it_promised(
        ids in proptest::collection::btree_set("[b-z]{1,6}", 0..4),
        text in "[a-z\n]{0,20}",
    ) {
        let run = || -> Tested {
            let dir = estate()?;
            let root = dir.path();
            let mut steps = vec![change(Some("old\n"), &text)];
            for id in &ids {
                steps.push(create(id)?);
            }
            let files = seen(root).into_iter().map(|(p, t)| (p, t.into_bytes())).collect();
            let plan = Plan { steps };
            let promised: BTreeMap<String, String> = plan
                .outcome(&files)
                .iter()
                .map(|(p, b)| (p.to_owned(), String::from_utf8_lossy(b).into_owned()))
                .collect();
            Held::take(root, || ())?.carry_out(&plan)?;
            assert_eq!(seen(root), promised);
            Ok(())
        };
        prop_assert!(run().is_ok());
    }
}
