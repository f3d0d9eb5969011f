//! A new customer: what must be free, and the files of the entry.

use super::RegistryError;
use super::lookup::Found;
use super::plan::Step;
use super::scaffold;
use crate::estate::allow::Date;
use crate::estate::entry::Suspension;
use crate::estate::lint::alike;
use crate::estate::yaml::{Reading, read};
use crate::estate::yaml_edit::{Change, edit, written};
use crate::estate::{CustomerId, EnvironmentId, Estate, ProductId, RepoSlug};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// What a customer is made of. Texts were checked by [`super::name::text`].
#[derive(Debug, Clone)]
pub struct NewCustomer {
    /// The id.
    pub id: CustomerId,
    /// For people.
    pub name: String,
    /// The repository, if there is one yet.
    pub repository: Option<Repository>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// What they pay for.
    pub tier: Option<String>,
    /// Where they are.
    pub region: Option<String>,
    /// The group for changes of the fleet.
    pub wave: Option<String>,
    /// Cloud roles by environment.
    pub roles: BTreeMap<EnvironmentId, String>,
    /// The day.
    pub added: Date,
    /// Set if they are not served yet.
    pub suspension: Option<Suspension>,
    /// What they subscribe to.
    pub products: Vec<ProductId>,
}

/// A repository, looked up or taken at somebody's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// `owner/name`.
    pub slug: RepoSlug,
    /// Its number.
    pub id: u64,
    /// The number of its owner, where it was looked up.
    pub owner_id: Option<u64>,
}

impl From<&Found> for Repository {
    fn from(found: &Found) -> Self {
        Self {
            slug: found.slug.clone(),
            id: found.id,
            owner_id: Some(found.owner_id),
        }
    }
}

/// Templates that the provider keeps in the manager repository.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// `templates/customer/metadata.yaml`
    pub metadata: Option<String>,
    /// `templates/customer/products.yaml`
    pub products: Option<String>,
}

/// What customers have already.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    alike: HashMap<String, CustomerId>,
    ids: HashMap<u64, CustomerId>,
    /// In small letters: GitHub does not tell them from capital ones.
    slugs: HashMap<String, (CustomerId, u64)>,
}

impl Taken {
    /// By the customers of the estate, but `without`.
    pub fn by(estate: &Estate, without: Option<&CustomerId>) -> Self {
        let mut out = Self::default();
        for customer in estate.customers.values().filter(|c| Some(&c.id) != without) {
            out.alike
                .insert(alike(customer.id.as_str()), customer.id.clone());
            if let (Some(slug), Some(id)) = (&customer.repository, customer.repository_id) {
                out.note(&customer.id, slug, id);
            }
        }
        out
    }

    fn note(&mut self, customer: &CustomerId, slug: &RepoSlug, id: u64) {
        self.ids.insert(id, customer.clone());
        self.slugs
            .insert(slug.as_str().to_ascii_lowercase(), (customer.clone(), id));
    }

    /// Refuses an id that somebody has, or that a person takes for somebody's.
    pub fn id_is_free(&self, id: &CustomerId) -> Result<(), RegistryError> {
        match self.alike.get(&alike(id.as_str())) {
            None => Ok(()),
            Some(other) if other == id => Err(RegistryError::refused(
                format!("there is a customer `{id}` already"),
                format!("see `tenantry customer show {id}`, or choose another id with --id"),
            )),
            Some(other) => Err(RegistryError::refused(
                format!(
                    "the id `{id}` differs from that of customer `{other}` only in `-` or in digits that look like letters"
                ),
                "choose another one with --id, before somebody approves the wrong one",
            )),
        }
    }

    /// Refuses a repository that somebody has.
    pub fn repository_is_free(&self, repository: &Repository) -> Result<(), RegistryError> {
        let Repository { slug, id, .. } = repository;
        if let Some(other) = self.ids.get(id) {
            return Err(RegistryError::refused(
                format!(
                    "`{slug}` (id {id}) is the repository of customer `{other}` already; one repository serves one customer"
                ),
                format!("see `tenantry customer show {other}`"),
            ));
        }
        match self.slugs.get(&slug.as_str().to_ascii_lowercase()) {
            None => Ok(()),
            Some((other, recorded)) => Err(RegistryError::refused(
                format!(
                    "customer `{other}` has `{slug}` with id {recorded}, but that name belongs to another repository now (id {id})"
                ),
                format!(
                    "correct customer `{other}` first: `tenantry customer set {other} repository=OWNER/NAME`"
                ),
            )),
        }
    }

    /// Checks a new customer and counts it among the others.
    pub fn take(&mut self, new: &NewCustomer) -> Result<(), RegistryError> {
        self.id_is_free(&new.id)?;
        if let Some(repository) = &new.repository {
            self.repository_is_free(repository)?;
            self.note(&new.id, &repository.slug, repository.id);
        }
        self.alike.insert(alike(new.id.as_str()), new.id.clone());
        Ok(())
    }
}

/// Refuses a repository of the provider's own whose name is not the one that
/// `customers.repository_name` gives.
pub fn named_by_rule(
    estate: &Estate,
    owner: Option<&str>,
    id: &CustomerId,
    slug: &RepoSlug,
) -> Result<(), RegistryError> {
    let provider = owner.is_some_and(|o| o.eq_ignore_ascii_case(slug.owner()));
    match estate.settings.repository_name.of(id) {
        Some(name) if provider && !name.eq_ignore_ascii_case(slug.name()) => {
            Err(RegistryError::refused(
                format!(
                    "the repository of customer `{id}` would be `{}/{name}` by `customers.repository_name`, not `{slug}`",
                    slug.owner()
                ),
                "rename it, or set `customers.repository_name` in tenantry.yml; `any` allows every name",
            ))
        }
        _ => Ok(()),
    }
}

/// A number where it is written as one.
pub fn wave(text: &str) -> Value {
    match text.parse::<u64>() {
        Ok(number) if number.to_string() == text => number.into(),
        _ => text.into(),
    }
}

impl NewCustomer {
    /// What `metadata.yaml` must say.
    fn entry(&self) -> Vec<Change> {
        let mut out = vec![
            Change::set("customer", self.id.as_str()),
            Change::set("name", self.name.as_str()),
            Change::set("added", self.added.to_string()),
        ];
        if let Some(Repository { slug, id, owner_id }) = &self.repository {
            out.push(Change::set("repository", slug.as_str()));
            out.push(Change::set("repository_id", *id));
            out.extend(owner_id.map(|id| Change::set("owner_id", id)));
        }
        let texts = [
            ("contact", &self.contact),
            ("tier", &self.tier),
            ("region", &self.region),
        ];
        for (key, text) in texts {
            out.extend(text.as_deref().map(|t| Change::set(key, t)));
        }
        out.extend(self.wave.as_deref().map(|w| Change::set("wave", wave(w))));
        for (environment, role) in &self.roles {
            out.push(Change {
                keys: vec!["roles".to_owned(), environment.to_string()],
                value: Some(role.as_str().into()),
            });
        }
        match &self.suspension {
            None => out.push(Change::set("status", "active")),
            Some(why) => out.extend(super::change::suspended(why)),
        }
        out
    }

    /// Values for the templates. All are YAML already, so none can become something else there.
    fn context(&self) -> Value {
        let text = |t: &Option<String>| t.as_deref().map(|t| written(&t.into()));
        let repository = self.repository.as_ref();
        json!({
            "id": self.id,
            "customer": written(&self.id.as_str().into()),
            "name": written(&self.name.as_str().into()),
            "repository": repository.map(|r| written(&r.slug.as_str().into())),
            "repository_id": repository.map(|r| r.id),
            "owner_id": repository.and_then(|r| r.owner_id),
            "added": written(&self.added.to_string().into()),
            "contact": text(&self.contact),
            "tier": text(&self.tier),
            "region": text(&self.region),
            "wave": self.wave.as_deref().map(|w| written(&wave(w))),
            "roles": self.roles.iter().map(|(environment, role)| json!({
                "environment": written(&environment.as_str().into()),
                "role": written(&role.as_str().into()),
            })).collect::<Vec<_>>(),
            "products": self.products.iter().map(|p| written(&p.as_str().into())).collect::<Vec<_>>(),
        })
    }

    /// The files of the entry. Whatever the template left out or wrote otherwise is put right,
    /// so what was asked for is what the files say.
    pub fn step(&self, templates: &Templates) -> Result<Step, RegistryError> {
        let context = self.context();
        let folder = format!("customers/{}", self.id);
        let metadata = scaffold::entry("metadata.yaml", templates.metadata.as_deref(), &context)?;
        let metadata = edit(
            &format!("{folder}/metadata.yaml"),
            metadata.as_bytes(),
            &self.entry(),
        )?;
        let products = scaffold::entry("products.yaml", templates.products.as_deref(), &context)?;
        let path = format!("{folder}/products.yaml");
        let listed = read(&path, products.as_bytes(), Reading::Strict)?.to_json();
        let names = |v: &Value| -> Vec<String> {
            let items = v["products"].as_array().into_iter().flatten();
            items
                .filter_map(|p| p["name"].as_str().map(str::to_owned))
                .collect()
        };
        let wanted: Vec<String> = self.products.iter().map(ToString::to_string).collect();
        if names(&listed) != wanted {
            return Err(RegistryError::refused(
                format!(
                    "the template `{}/products.yaml` does not list the products that were asked for",
                    scaffold::TEMPLATES
                ),
                "let it go over `products`, as `# %% for product in products`",
            ));
        }
        Ok(Step::Create {
            customer: self.id.clone(),
            files: vec![
                ("metadata.yaml".to_owned(), metadata),
                ("products.yaml".to_owned(), products.into_bytes()),
            ],
        })
    }
}
