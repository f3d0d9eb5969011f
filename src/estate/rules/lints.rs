//! Lints: rules about the estate as a whole.

use super::{Example, Rule, text, yaml};
use crate::estate::finding::Level;

pub(super) const fn lint(
    id: &'static str,
    level: Level,
    title: &'static str,
    why: &'static str,
    instead: &'static str,
    [bad, good]: [Example; 2],
) -> Rule {
    Rule {
        id,
        level,
        lint: true,
        title,
        why,
        instead,
        bad,
        good,
    }
}

/// About the allow-list itself: no lint, or it could be allowed away.
const fn allowance(
    id: &'static str,
    title: &'static str,
    why: &'static str,
    instead: &'static str,
    bad: Example,
    good: Example,
) -> Rule {
    Rule {
        id,
        level: Level::Warning,
        lint: false,
        title,
        why,
        instead,
        bad,
        good,
    }
}

pub(super) const RULES: &[Rule] = &[
    lint(
        "collision-stack",
        Level::Error,
        "The same stack twice",
        "A customer who subscribes to a product twice, or a product that lists an environment twice, has two stacks with one name. They share one state and are planned and applied against each other.",
        "Keep one entry. Two instances of a product for one customer are two products.",
        [
            yaml(
                "# customers/acme/products.yaml\nproducts:\n  - name: web\n  - name: web\n    version: \"2\"",
            ),
            yaml("# customers/acme/products.yaml\nproducts:\n  - name: web\n    version: \"2\""),
        ],
    ),
    lint(
        "collision-store",
        Level::Error,
        "A customer's state lies in a folder of the store",
        "State is kept under `<customer>/`, the store under folders such as `plans/` and `requests/`. In one bucket without a prefix, a customer called `plans` has a state folder in which the sealed plans of all customers lie: a role that may read that customer's prefix may read them too.",
        "Give the store a prefix that is no customer's id, or a bucket of its own.",
        [
            yaml("store:\n  url: s3://acme-ops\nstate:\n  bucket: acme-ops"),
            yaml("store:\n  url: s3://acme-ops/tenantry-store\nstate:\n  bucket: acme-ops"),
        ],
    ),
    lint(
        "collision-repository",
        Level::Error,
        "Two customers with one repository",
        "One repository serves one customer. The numeric id decides who somebody is, so of two entries with one name at least one has the id of something else, perhaps of a repository that was renamed.",
        "Look both repositories up and correct the entry that is out of date.",
        [
            yaml(
                "# customers/beta/metadata.yaml\nrepository: acme/app      # acme's\nrepository_id: 222",
            ),
            yaml("# customers/beta/metadata.yaml\nrepository: beta/app\nrepository_id: 222"),
        ],
    ),
    lint(
        "collision-bucket",
        Level::Warning,
        "Two customers with one state bucket of their own",
        "`state.bucket` in a registry entry is there to keep a customer's state apart. Two customers in it are apart by key only, and a role for the bucket reaches both.",
        "Give each a bucket, or leave the key out: then both use the common bucket of the settings, and everybody can see that.",
        [
            yaml("# customers/beta/metadata.yaml\nstate:\n  bucket: acme-state"),
            yaml("# customers/beta/metadata.yaml\nstate:\n  bucket: beta-state"),
        ],
    ),
    lint(
        "collision-namespace",
        Level::Error,
        "Two stacks with one flat name",
        "Ids may hold `-`, so `a-b` with product `c` and `a` with product `b-c` become the same name once they are joined by `-`; so do long ids that are cut to the 63 characters of a Kubernetes name. What tenantry writes itself carries a digest and cannot meet, but charts, modules and scripts usually make `<customer>-<product>-<environment>`, and then two customers share a namespace. Between stacks of one customer it is a warning.",
        "Rename the customer or the product that came later, while nothing is deployed for it. If nothing of yours joins the ids, allow it with that as the reason.",
        [
            text(
                "text",
                "customers/a-b/  subscribes to c      ->  a-b-c\ncustomers/a/    subscribes to b-c    ->  a-b-c",
            ),
            text(
                "text",
                "customers/a-b/  subscribes to c      ->  a-b-c\ncustomers/a/    subscribes to c-web  ->  a-c-web",
            ),
        ],
    ),
    lint(
        "collision-id",
        Level::Warning,
        "Two ids that are easily taken for each other",
        "`acme-corp` and `acmecorp` are one name where `-` cannot be written, such as a storage account or a database. `b10` and `blo` are one name to whoever approves a plan late in the evening.",
        "Rename one, while nothing is deployed for it.",
        [
            text("text", "customers/acme-corp/\ncustomers/acmecorp/"),
            text("text", "customers/acme-corp/\ncustomers/acme-labs/"),
        ],
    ),
    lint(
        "foreign",
        Level::Error,
        "A customer's values name what belongs to another customer",
        "Provider-held values are often copied from one customer to the next. A repository, state bucket, state key or namespace that stayed behind gives one customer's infrastructure a hold on another's. Whole names count only: `owner/name`, a bucket, `<customer>/<product>/…` as a key, an exact namespace.",
        "Write what belongs to this customer, or an expression: `{{ customer }}` is right for everybody. Where one customer really is to reach another, allow it for that file with the reason.",
        [
            yaml(
                "# customers/beta/web/values.yaml\nremote_state: s3://acme-state/acme/web/production/terraform.tfstate",
            ),
            yaml(
                "# customers/beta/web/values.yaml\nremote_state: s3://beta-state/beta/web/production/terraform.tfstate",
            ),
        ],
    ),
    lint(
        "secret-plain",
        Level::Error,
        "Plain text in a file for secrets",
        "`secrets.yaml` lies in git, where everybody with read access and every clone keeps it for good. Known to be safe are SOPS (a `sops` map with a `mac`, values `ENC[…]`), a SealedSecret, an ExternalSecret, and placeholders that a tool replaces (`<path:mount/path#key>`, `vault:path#key`, `${vault…}`, `ref+vault://path`). A file that cannot be read as YAML counts as plain, since nobody can tell.",
        "Encrypt the file or refer to the vault. The secret that stood there is known by now: replace it.",
        [
            yaml("# customers/acme/web/secrets.yaml\ndb_password: hunter2"),
            yaml(
                "# customers/acme/web/secrets.yaml\ndb_password: <path:kv/data/acme/web#db_password>",
            ),
        ],
    ),
    lint(
        "secret-pattern",
        Level::Error,
        "Something that has the shape of a secret",
        "The prefix is that of a key or token and of nothing else: AWS access keys, tokens of GitHub, GitLab and Slack, private keys, keys of Google service accounts, Stripe keys, age identities. Every text of the estate up to 1 MiB is searched. The message never shows what was found.",
        "Revoke it first, then remove it: deleting the line does not delete it from git's history. Keep the new one in the secret store.",
        [
            text(
                "hcl",
                "provider \"aws\" {\n  access_key = \"AKIA................\"\n}",
            ),
            text("hcl", "provider \"aws\" {\n  # from the job's role\n}"),
        ],
    ),
    lint(
        "secret-possible",
        Level::Warning,
        "Something that may be a secret",
        "A JSON Web Token (`eyJ….eyJ….…`) opens whatever it was issued for until it expires. It may have expired long ago, or be an example.",
        "If it still opens something, revoke it. If it is an example, shorten it or allow it for that file.",
        [
            yaml("token: eyJhbGciOi….eyJzdWIiOi….c2lnbmF0"),
            yaml("token: <path:kv/data/acme/web#token>"),
        ],
    ),
    lint(
        "unread-file",
        Level::Warning,
        "A file that nothing reads",
        "Most often its name has a slip, and its values are in no stack. Looked for under `customers/`, `products/` and `policies/`. Left alone are `terraform/` and `configs/` of a customer, `secrets.yaml`, files that a schema refers to, READMEs, Markdown, and names that begin with a dot.",
        "Take the suggested name, move the file to `configs/`, or remove it.",
        [
            text(
                "text",
                "customers/acme/web/value.yaml\ncustomers/acme/web/environments/prodution.yaml",
            ),
            text(
                "text",
                "customers/acme/web/values.yaml\ncustomers/acme/web/environments/production.yaml",
            ),
        ],
    ),
    allowance(
        "allow-expired",
        "An allowance whose day is over",
        "What it covered is reported again, because that is what an end date is for.",
        "Correct what it covered and remove it, or renew it with a new day and a reason that still holds.",
        yaml(
            "lint:\n  allow:\n    - rule: foreign\n      path: customers/beta/web/\n      reason: moves to its own bucket this month\n      expires: \"2020-01-31\"",
        ),
        yaml("lint:\n  allow: []"),
    ),
    allowance(
        "allow-unused",
        "An allowance that covers nothing",
        "It would hide the next finding there, which nobody has looked at.",
        "Remove it, or correct its `rule` or `path`. A path covers what is below only if it ends in `/`.",
        yaml(
            "lint:\n  allow:\n    - rule: unread-file\n      path: customers/acme\n      reason: notes of the migration\n      expires: \"2027-01-31\"",
        ),
        yaml(
            "lint:\n  allow:\n    - rule: unread-file\n      path: customers/acme/\n      reason: notes of the migration\n      expires: \"2027-01-31\"",
        ),
    ),
    allowance(
        "drift-ignore-expired",
        "A rule about drift whose day is over",
        "What it ignored is reported as drift again, because that is what an end date is for.",
        "Put right what it ignored and remove it, or renew it with a new day and a reason that still holds.",
        yaml(
            "drift:\n  ignore:\n    - address: aws_autoscaling_group.*\n      attribute: desired_capacity\n      reason: scaled by its own policy\n      owner: platform\n      until: \"2020-01-31\"",
        ),
        yaml("drift:\n  ignore: []"),
    ),
];
