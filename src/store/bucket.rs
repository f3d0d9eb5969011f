//! How an S3 bucket is set up, and objects in it that are not ours: Terraform's state and its locks.
//!
//! `object_store` puts and gets objects alone. Its connections, its credentials and its signatures
//! are public, so the few calls about a bucket itself are made with them, and nothing else is
//! needed (docs.aws.amazon.com, "Amazon S3 API Reference").

use super::xml::{texts, texts_in};
use crate::clock::Time;
use base64::Engine as _;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer};
use object_store::client::{HttpClient, HttpConnector as _, HttpRequest, ReqwestConnector};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore as _, ObjectStoreExt as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why a bucket did not tell.
#[derive(Debug, thiserror::Error)]
pub enum BucketError {
    /// The service refused.
    #[error("the cloud answers {status} ({code}) to {call}")]
    Refused {
        /// What was asked.
        call: String,
        /// Status.
        status: u16,
        /// Its word, such as `AccessDenied`.
        code: String,
    },
    /// No answer, or none that can be read.
    #[error("the cloud cannot be asked {call}: {why}")]
    Unreachable {
        /// What was asked.
        call: String,
        /// Why.
        why: String,
    },
}

impl BucketError {
    fn is(&self, codes: &[&str]) -> bool {
        matches!(self, Self::Refused { code, .. } if codes.contains(&code.as_str()))
    }
}

type Result<T> = std::result::Result<T, BucketError>;

/// A change of a bucket's settings, before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BucketChange {
    /// The bucket.
    pub bucket: String,
    /// Which of its settings, such as `versioning`.
    pub setting: &'static str,
    /// What is sent.
    pub body: &'static str,
}

impl BucketChange {
    /// Old versions are kept.
    pub fn versioning(bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            setting: "versioning",
            body: "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>",
        }
    }
    /// Nothing can be made public.
    pub fn no_public_access(bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            setting: "publicAccessBlock",
            body: "<PublicAccessBlockConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>",
        }
    }
    /// What is written is encrypted.
    pub fn encryption(bucket: &str) -> Self {
        Self {
            bucket: bucket.to_owned(),
            setting: "encryption",
            body: "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm></ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>",
        }
    }
}

/// How long objects cannot be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// `GOVERNANCE` or `COMPLIANCE`.
    pub mode: String,
    /// Days; years count as 365.
    pub days: u64,
}

/// An object that somebody else wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its key.
    pub key: String,
    /// When it was last written.
    pub modified: Time,
    /// Which version it is.
    pub e_tag: Option<String>,
}

/// A role, as the account of the credentials has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundRole {
    /// Its ARN, which names that account.
    pub arn: String,
    /// Whom it trusts, as JSON text.
    pub trust: String,
}

/// A bucket.
pub struct Bucket {
    name: String,
    region: String,
    /// Root of a look-alike, where it is one.
    endpoint: Option<String>,
    objects: AmazonS3,
    http: HttpClient,
}

impl std::fmt::Debug for Bucket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bucket({})", self.name)
    }
}

fn setup(name: &str, why: impl std::fmt::Display) -> BucketError {
    BucketError::Unreachable {
        call: format!("about the bucket `{name}`"),
        why: why.to_string(),
    }
}

impl Bucket {
    /// Opens a bucket with the cloud settings of the environment; those of `region` count more.
    pub fn open(name: &str, region: Option<&str>, options: &[(String, String)]) -> Result<Self> {
        let mut builder = AmazonS3Builder::new().with_bucket_name(name);
        let lower: BTreeMap<String, &str> = options
            .iter()
            .map(|(k, v)| (k.to_ascii_lowercase(), v.as_str()))
            .collect();
        for (key, value) in &lower {
            if let Ok(key) = key.parse::<AmazonS3ConfigKey>() {
                builder = builder.with_config(key, *value);
            }
        }
        let set = |keys: &[&str]| keys.iter().find_map(|k| lower.get(*k).copied());
        let region = region
            .or_else(|| set(&["aws_region", "aws_default_region"]))
            .unwrap_or("us-east-1");
        builder = builder.with_region(region);
        let endpoint = set(&["aws_endpoint"]).map(|e| e.trim_end_matches('/').to_owned());
        let plain = set(&["aws_allow_http"]) == Some("true");
        let objects = builder.build().map_err(|e| setup(name, e))?;
        let client = ClientOptions::new().with_allow_http(plain);
        let http = ReqwestConnector::default()
            .connect(&client)
            .map_err(|e| setup(name, e))?;
        Ok(Self {
            name: name.to_owned(),
            region: region.to_owned(),
            endpoint,
            objects,
            http,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn host(&self, service: &str) -> String {
        let tail = if self.region.starts_with("cn-") {
            ".cn"
        } else {
            ""
        };
        match (&self.endpoint, service) {
            (Some(endpoint), _) => endpoint.clone(),
            // One for all regions.
            (None, "iam") => format!("https://iam.amazonaws.com{tail}"),
            (None, service) => format!("https://{service}.{}.amazonaws.com{tail}", self.region),
        }
    }

    /// One signed call; the body of a good answer.
    async fn call(
        &self,
        service: &str,
        method: http::Method,
        url: &str,
        body: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<String> {
        let shown = url.split_once("://").map_or(url, |(_, rest)| rest);
        let call = format!("{method} {shown}");
        let failed = |why: String| BucketError::Unreachable {
            call: call.clone(),
            why,
        };
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(body));
            request = request.header("x-amz-checksum-sha256", digest);
        }
        let mut request: HttpRequest = request
            .body(body.to_owned().into())
            .map_err(|e| failed(e.to_string()))?;
        let credential = self.objects.credentials().get_credential().await;
        let credential = credential.map_err(|e| failed(e.to_string()))?;
        // IAM is one service for all regions and signed for the first of them.
        let region = if service == "iam" {
            "us-east-1"
        } else {
            &self.region
        };
        AwsAuthorizer::new(&credential, service, region)
            .try_authorize(&mut request, None)
            .map_err(|e| failed(e.to_string()))?;
        let answer = self.http.execute(request).await;
        let answer = answer.map_err(|e| failed(e.to_string()))?;
        let status = answer.status();
        let bytes = answer.into_body().bytes().await;
        let bytes = bytes.map_err(|e| failed(e.to_string()))?;
        if bytes.len() > LARGEST {
            return Err(failed("the answer is too large".into()));
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let code = texts(&text, "Code").into_iter().next().unwrap_or_default();
        Err(BucketError::Refused {
            call,
            status: status.as_u16(),
            code: crate::estate::ids::shown(&code),
        })
    }

    async fn setting(&self, setting: &str) -> Result<String> {
        let url = format!("{}/{}?{setting}", self.host("s3"), self.name);
        self.call("s3", http::Method::GET, &url, "", &[]).await
    }

    /// Whether old versions are kept.
    pub async fn versioning(&self) -> Result<bool> {
        let text = self.setting("versioning").await?;
        Ok(texts(&text, "Status").iter().any(|s| s == "Enabled"))
    }

    /// How what is written is encrypted.
    pub async fn encryption(&self) -> Result<Option<String>> {
        match self.setting("encryption").await {
            Ok(text) => Ok(texts(&text, "SSEAlgorithm").into_iter().next()),
            Err(e) if e.is(&["ServerSideEncryptionConfigurationNotFoundError"]) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether nothing in it can be made public.
    pub async fn no_public_access(&self) -> Result<bool> {
        match self.setting("publicAccessBlock").await {
            Ok(text) => Ok([
                "BlockPublicAcls",
                "IgnorePublicAcls",
                "BlockPublicPolicy",
                "RestrictPublicBuckets",
            ]
            .iter()
            .all(|k| {
                texts(&text, k)
                    .iter()
                    .any(|v| v.eq_ignore_ascii_case("true"))
            })),
            Err(e) if e.is(&["NoSuchPublicAccessBlockConfiguration"]) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// How long nothing can be removed from it.
    pub async fn retention(&self) -> Result<Option<Retention>> {
        let text = match self.setting("object-lock").await {
            Ok(text) => text,
            Err(e) if e.is(&["ObjectLockConfigurationNotFoundError"]) => return Ok(None),
            Err(e) => return Err(e),
        };
        let first = |name: &str| texts(&text, name).into_iter().next();
        let number = |name: &str| first(name).and_then(|n| n.parse::<u64>().ok());
        let days = number("Days").or_else(|| number("Years").map(|y| y * 365));
        Ok(first("Mode").zip(days).map(|(mode, days)| Retention {
            mode: crate::estate::ids::shown(&mode),
            days,
        }))
    }

    /// Changes a setting.
    pub async fn change(&self, change: &BucketChange) -> Result<()> {
        let url = format!("{}/{}?{}", self.host("s3"), self.name, change.setting);
        self.call("s3", http::Method::PUT, &url, change.body, &[])
            .await
            .map(|_| ())
    }

    /// The objects under a folder whose key ends with one of `endings`.
    pub async fn find(&self, folder: Option<&str>, endings: &[&str]) -> Result<Vec<Found>> {
        let prefix = folder.map(Path::from);
        let all: Vec<_> = self
            .objects
            .list(prefix.as_ref())
            .try_filter(|m| {
                let ours = endings.iter().any(|e| m.location.as_ref().ends_with(e));
                futures_util::future::ready(ours)
            })
            .try_collect()
            .await
            .map_err(|e| setup(&self.name, e))?;
        Ok(all
            .into_iter()
            .map(|m| Found {
                key: m.location.to_string(),
                modified: Time(u64::try_from(m.last_modified.timestamp()).unwrap_or(0)),
                e_tag: m.e_tag,
            })
            .collect())
    }

    /// The folders at its top.
    pub async fn folders(&self) -> Result<Vec<String>> {
        let listed = self.objects.list_with_delimiter(None).await;
        let listed = listed.map_err(|e| setup(&self.name, e))?;
        let names = listed.common_prefixes.into_iter();
        Ok(names.map(|p| p.to_string()).collect())
    }

    /// A small object, and which version it is.
    pub async fn small(&self, key: &str) -> Result<Option<Vec<u8>>> {
        match self.objects.get(&Path::from(key)).await {
            Ok(found) if found.meta.size as usize > SMALL => Ok(None),
            Ok(found) => {
                let bytes = found.bytes().await.map_err(|e| setup(&self.name, e))?;
                Ok(Some(bytes.to_vec()))
            }
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(setup(&self.name, e)),
        }
    }

    /// Removes an object if it still is the version that was seen (docs.aws.amazon.com,
    /// "DeleteObject", `If-Match`).
    pub async fn remove(&self, key: &str, e_tag: &str) -> Result<()> {
        let parts: Vec<String> = key.split('/').map(encoded).collect();
        let url = format!("{}/{}/{}", self.host("s3"), self.name, parts.join("/"));
        let headers = [("if-match", e_tag)];
        self.call("s3", http::Method::DELETE, &url, "", &headers)
            .await
            .map(|_| ())
    }

    /// A role by its name, which is looked for in the account of the credentials alone.
    pub async fn role(&self, role: &str) -> Result<FoundRole> {
        let role = encoded(role);
        let url = format!(
            "{}/?Action=GetRole&RoleName={role}&Version=2010-05-08",
            self.host("iam")
        );
        let text = self.call("iam", http::Method::GET, &url, "", &[]).await?;
        let of_role = |name: &str| {
            let found = texts_in(&text, Some("Role"), name).into_iter().next();
            found.ok_or_else(|| BucketError::Unreachable {
                call: "GetRole".into(),
                why: format!("the answer holds no `{name}`"),
            })
        };
        let (arn, policy) = (of_role("Arn")?, of_role("AssumeRolePolicyDocument")?);
        // It is percent-encoded inside of the XML.
        let trust: String =
            url::form_urlencoded::parse(format!("p={}", policy.replace('+', "%2B")).as_bytes())
                .next()
                .map(|(_, v)| v.into_owned())
                .unwrap_or_default();
        Ok(FoundRole { arn, trust })
    }
}

/// Of settings and policies.
const LARGEST: usize = 1 << 20;
/// Of a lock.
const SMALL: usize = 64 << 10;

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

/// A bucket that is shared between readers.
pub type Shared = Arc<Bucket>;
