//! A rotation, phase by phase.

use super::rotate::Args;
use super::*;
use crate::estate::CredentialId;
use crate::keyring::{Kept, Keyring};
use crate::registry::credential::add::{Judged, Wanted, judge};
use crate::registry::credential::ask::{Reach, reach, works};
use crate::registry::credential::revoke::{Doomed, Way, at_github, marked};
use crate::registry::credential::rotate::{
    Phase, begun, given as given_to, passing, phase, recorded,
};
use crate::registry::credential::same::{self, Named, Values};
use crate::registry::credential::{self, free_id, give};
use crate::registry::name::text;
use crate::registry::{RegistryError, change};

/// What a rotation works with.
pub(super) struct Work<'a> {
    pub(super) args: &'a Args,
    pub(super) env: &'a Env,
    pub(super) printer: &'a Printer,
    pub(super) held: Held,
    pub(super) estate: Estate,
    pub(super) keyring: Keyring,
    pub(super) towards: ClientSettings,
    pub(super) hand: Hand,
    pub(super) keep: bool,
    pub(super) done: Vec<String>,
}

/// Other open credentials that are the old secret.
struct Others {
    /// They still need it.
    needing: Vec<Named>,
    /// They have another one, and wait for their own end.
    done: Vec<Named>,
}

impl Work<'_> {
    /// Does phase after phase; the one that it ends before.
    pub(super) async fn all(&mut self, secret: Option<Secret>) -> Result<Phase, CliError> {
        let mut secret = secret;
        if self.args.handed_over {
            self.hand_over()?;
        }
        loop {
            let customer = find(&self.estate, &self.args.customer)?;
            let now = moment(&self.hand);
            let next = phase(
                customer,
                &self.args.credential,
                self.keyring.content(),
                &now,
                self.args.now,
            )
            .map_err(refused)?;
            match next {
                Phase::Wait(_) | Phase::Done => return Ok(next),
                Phase::Take => self.take(secret.take()).await?,
                Phase::Record(kept) => self.record(&kept, secret.take()).await?,
                Phase::Give { place, name, new } => self.give(&place, &name, &new).await?,
                Phase::Begin => self.begin()?,
                Phase::End { new } => self.end(&new).await?,
                Phase::Clean => self.clean()?,
            }
        }
    }

    fn old(&self) -> Result<Credential, CliError> {
        let customer = find(&self.estate, &self.args.customer)?;
        let old = credential::find(customer, &self.args.credential).map_err(refused)?;
        Ok(old.clone())
    }

    fn carry_out(&mut self, changes: &[crate::estate::yaml_edit::Change]) -> Result<(), CliError> {
        let customer = find(&self.estate, &self.args.customer)?;
        let plan = change::plan(&self.estate, customer, changes).map_err(refused)?;
        self.estate = carried_out(&self.args.change.at, &self.held, &plan)?;
        Ok(())
    }

    fn say(&mut self, text: String) {
        self.printer.progress(&text);
        self.done.push(text);
    }

    fn wanted(&self, id: &CredentialId, old: &Credential) -> Result<Wanted, CliError> {
        let reason = self.args.accept.as_ref();
        Ok(Wanted {
            purpose: old.purpose.clone(),
            id: Some(id.clone()),
            owner: self.args.owner.clone().or_else(|| old.owner.clone()),
            expires: self.args.expires.clone(),
            accepted: reason
                .map(|r| text("the reason", r))
                .transpose()
                .map_err(refused)?,
            keep: self.keep,
            handed_over: false,
        })
    }

    async fn judged(&self, secret: &Secret, id: &CredentialId) -> Result<Judged, CliError> {
        let customer = find(&self.estate, &self.args.customer)?;
        let old = self.old()?;
        let wanted = self.wanted(id, &old)?;
        let judged = judge(
            &self.estate,
            customer,
            Some(self.keyring.content()),
            secret,
            &wanted,
            &self.towards,
            &self.hand,
        )
        .await
        .map_err(refused)?;
        if judged.known {
            return Err(CliError::failed(
                "this is a secret that is recorded already, not a new one",
            )
            .hint("make a new one and give that"));
        }
        Ok(judged)
    }

    async fn take(&mut self, secret: Option<Secret>) -> Result<(), CliError> {
        let secret = secret.ok_or_else(|| {
            CliError::usage("no new secret was given").hint("give it on standard input")
        })?;
        let customer = find(&self.estate, &self.args.customer)?;
        let old = self.old()?;
        let id = free_id(customer, Some(self.keyring.content()), &old.purpose).map_err(refused)?;
        self.judged(&secret, &id).await?;
        let kept = Kept {
            customer: customer.id.clone(),
            credential: id.clone(),
            value: secret,
            at: self.hand.now,
            by: self.hand.by.clone(),
            replaces: Some(old.id),
            passing: !self.keep,
        };
        self.keyring.change(|c| c.put(kept)).map_err(sealed)?;
        self.say(format!(
            "the new secret is verified, and in the encrypted file as `{id}`"
        ));
        Ok(())
    }

    async fn record(&mut self, kept: &Kept, secret: Option<Secret>) -> Result<(), CliError> {
        if secret.is_some_and(|s| s != kept.value) {
            return Err(CliError::failed(format!(
                "another new secret is in the encrypted file already, as `{}`",
                kept.credential
            ))
            .hint("run the command without a secret (</dev/null) to go on with that one"));
        }
        let judged = self.judged(&kept.value, &kept.credential).await?;
        for note in &judged.notes {
            self.printer.progress(&format!("note: {note}"));
        }
        let new = judged.credential;
        let customer = find(&self.estate, &self.args.customer)?;
        let changes = recorded(customer, &self.old()?, &new);
        self.carry_out(&changes)?;
        self.say(format!(
            "`{}` is recorded; `{}` is rotating and stays valid",
            new.id, self.args.credential
        ));
        Ok(())
    }

    async fn give(
        &mut self,
        place: &SecretPlace,
        name: &SecretName,
        new: &CredentialId,
    ) -> Result<(), CliError> {
        let value = self.value(new)?;
        let client = setter(&self.estate, self.env)?;
        give::give(&client, place, name, &value)
            .await
            .map_err(refused)?;
        let customer = find(&self.estate, &self.args.customer)?;
        let new = credential::find(customer, new).map_err(refused)?;
        let changes = given_to(&self.old()?, new, place);
        self.carry_out(&changes)?;
        self.say(format!(
            "the secret `{name}` of `{place}` is set to the new one"
        ));
        Ok(())
    }

    /// Records that whoever had the old one has the new one.
    fn hand_over(&mut self) -> Result<(), CliError> {
        let customer = find(&self.estate, &self.args.customer)?;
        let new = credential::successor(customer, &self.args.credential).ok_or_else(|| {
            CliError::usage("there is no new one yet that could have been handed over")
                .hint("leave out --handed-over to begin")
        })?;
        if new.handed_over.is_none() {
            let id = new.id.clone();
            let changes = credential::handed_over(new, &self.hand.today);
            self.carry_out(&changes)?;
            self.say(format!("it is recorded that `{id}` was handed over"));
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), CliError> {
        // From now on, not from the start of the command: a job may have begun since.
        let now = Clock::system().now();
        let until = Moment::at(now.plus(self.args.overlap).0);
        let changes = begun(&self.old()?, until);
        self.carry_out(&changes)?;
        self.hand.now = now;
        self.say("the time in which both are valid has begun".to_owned());
        Ok(())
    }

    /// The value of the new one, which the encrypted file has at least until the end.
    fn value(&self, new: &CredentialId) -> Result<Secret, CliError> {
        let kept = self.keyring.content().find(&self.args.customer, new);
        kept.map(|k| k.value.clone()).ok_or_else(|| {
            CliError::failed(format!(
                "the value of `{new}` is not in {}",
                self.keyring.path().display()
            ))
            .hint("go on where the rotation was begun, with the same encrypted file")
        })
    }

    /// Who else has the old secret.
    async fn others(&self, old: &Credential) -> Result<Others, CliError> {
        let content = self.keyring.content();
        let name = Named {
            customer: self.args.customer.clone(),
            credential: old.id.clone(),
        };
        let kept = content.find(&name.customer, &name.credential);
        let values = Values::of(&self.estate, Some(content));
        let all = values.others(&name, Some(old), kept.map(|k| &k.value));
        let now = moment(&self.hand);
        let needing = same::needing(&all, Some(content), &now, Some(&self.towards))
            .await
            .map_err(refused)?;
        let all = all.iter().map(|(customer, c)| Named {
            customer: customer.id.clone(),
            credential: c.id.clone(),
        });
        Ok(Others {
            done: all.filter(|one| !needing.contains(one)).collect(),
            needing,
        })
    }

    /// The end that is not come to, because others would be cut off. That nobody waits for this
    /// one's jobs is written down, so that the last of them can end it for all.
    fn held_back(&mut self, old: &Credential, others: &[Named]) -> Result<CliError, CliError> {
        let now = moment(&self.hand);
        if self.args.now && old.until.as_ref().is_some_and(|until| *until > now) {
            let changes = begun(old, now);
            self.carry_out(&changes)?;
        }
        Ok(CliError::failed(format!(
            "`{}` is not revoked and stays `rotating`, because it is the same secret as {}, which would be cut off; everything else is done",
            old.id,
            same::list(others)
        ))
        .hint(format!(
            "bring theirs to an end too: {}; the last one revokes the secret for all. Then run this command once more",
            same::rotations(others)
        )))
    }

    async fn end(&mut self, new: &CredentialId) -> Result<(), CliError> {
        let value = self.value(new)?;
        let customer = find(&self.estate, &self.args.customer)?;
        let found = credential::find(customer, new).map_err(refused)?;
        let (kind, purpose) = (found.kind, found.purpose.clone());
        // The last look before the old one goes.
        if kind.asks_github() && !works(&self.towards, &value).await.map_err(refused)? {
            return Err(CliError::failed(format!(
                "GitHub does not take `{new}`, which is to take the place of `{}`; the old one stays valid",
                self.args.credential
            ))
            .hint(format!("revoke `{new}` and rotate once more")));
        }
        if kind.asks_github() {
            let looked = reach(&self.towards, &value, &purpose, &self.estate, customer).await;
            if let Reach::Missing(why) = looked.map_err(refused)? {
                return Err(CliError::failed(format!(
                    "`{new}` cannot take the place of `{}`: {why}; the old one stays valid",
                    self.args.credential
                ))
                .hint(format!(
                    "let `{new}` reach that repository, on its page; or revoke it and rotate once more"
                )));
            }
        }
        let old = self.old()?;
        let others = self.others(&old).await?;
        if !others.needing.is_empty() {
            return Err(self.held_back(&old, &others.needing)?);
        }
        let customer = find(&self.estate, &self.args.customer)?;
        let kept = self.keyring.content().find(&customer.id, &old.id);
        let Some(kept) = kept.filter(|_| old.kind.revocable()) else {
            return Err(CliError::failed(format!(
                "`{}` cannot be revoked from here; everything else is done",
                old.id
            ))
            .hint(format!(
                "revoke it by hand ({}), then record that: tenantry customer credential revoke {} {} --by-hand",
                old.kind.by_hand(),
                customer.id,
                old.id
            )));
        };
        let value = kept.value.clone();
        at_github(&self.towards, &[&value]).await.map_err(refused)?;
        let customer = customer.id.clone();
        let gone = Doomed {
            customer: customer.clone(),
            credential: old,
            way: Way::Github(value.clone()),
        };
        let changes = marked(&[&gone], &self.hand.today);
        for (_, changes) in &changes {
            self.carry_out(changes)?;
        }
        self.say(format!("`{}` is revoked", self.args.credential));
        if !others.done.is_empty() {
            self.printer.progress(&format!(
                "the same secret was {}; record that it is revoked with {}",
                same::list(&others.done),
                same::rotations(&others.done)
            ));
        }
        if gone.credential.kind.asks_github() && still_works(&self.towards, &value).await? {
            self.printer.progress("GitHub has taken the revocation, and still answers to the old one; that ends within minutes");
        }
        self.clean()
    }

    fn clean(&mut self) -> Result<(), CliError> {
        let (by, at) = (self.hand.by.clone(), self.hand.now);
        let customer = find(&self.estate, &self.args.customer)?;
        let id = customer.id.clone();
        let lent = passing(customer, &self.args.credential, self.keyring.content())
            .map(|k| k.credential.clone());
        let old = self.args.credential.clone();
        self.keyring
            .change(|c| {
                c.take(&id, &old, &by, at);
                if let Some(lent) = &lent {
                    c.take(&id, lent, &by, at);
                }
            })
            .map_err(sealed)?;
        self.say("what is not needed any more is out of the encrypted file".to_owned());
        Ok(())
    }
}

/// A call that fails says nothing; what is asked of GitHub was taken already.
async fn still_works(towards: &ClientSettings, value: &Secret) -> Result<bool, CliError> {
    match works(towards, value).await {
        Ok(works) => Ok(works),
        Err(RegistryError::Github(_)) => Ok(false),
        Err(other) => Err(refused(other)),
    }
}
