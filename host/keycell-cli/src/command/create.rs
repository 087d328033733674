//! `keycell create`.

use clap::Args;
use keycell::{CreateApiKey, IssueApiKey, RateLimit};

use super::show;
use crate::{
    arguments::{metadata, rate_limit},
    error::CommandError,
    settings::Settings,
};

#[derive(Args)]
#[command(after_help = "Examples:
  keycell create --name laptop
  keycell create --name deploy --project web --expires-at 2031-01-31T18:00:00+01:00
  keycell create --name orders --scope orders:read --limit 100/60s --metadata '{\"plan\": \"pro\"}'
  keycell create --operator --owner ann --name ann-ci --idempotency-key ann-ci-1
  KEY=$(keycell create --name ci --json | jq -r .key)

If the key cannot be written to standard output, it is revoked. With --idempotency-key it is not:
repeat the command, which gives the key another secret.")]
pub struct Arguments {
    /// The name: 1 to 100 characters
    #[arg(long)]
    name: String,
    /// The project by id or slug; without it, the key is user-level
    #[arg(long, value_name = "REF")]
    project: Option<String>,
    /// The expiry: an RFC 3339 time with an offset, or a date
    #[arg(long, value_name = "WHEN")]
    expires_at: Option<String>,
    #[command(flatten)]
    issuing: Issuing,
}

/// The options that `issue-api-key` has beyond those of `create-api-key`.
#[derive(Args)]
struct Issuing {
    /// A scope of the key, in place of the default scopes; may be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Gives the key no scopes
    #[arg(long, conflicts_with = "scopes")]
    no_scopes: bool,
    /// The user who will own the key; another user needs --operator
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// A JSON object of at most 4 KiB, or @ and the name of a file with one
    #[arg(long, value_name = "JSON|@FILE")]
    metadata: Option<String>,
    /// The limit of successful verifications, such as 100/60s
    #[arg(long, value_name = "REQUESTS/WINDOW", value_parser = rate_limit)]
    limit: Option<RateLimit>,
    /// Makes the command repeatable for 24 hours: 1 to 128 printable ASCII characters
    #[arg(long, value_name = "TEXT")]
    idempotency_key: Option<String>,
}

impl Issuing {
    fn is_empty(&self) -> bool {
        let Self { scopes, no_scopes, owner, metadata, limit, idempotency_key } = self;
        scopes.is_empty()
            && !no_scopes
            && owner.is_none()
            && metadata.is_none()
            && limit.is_none()
            && idempotency_key.is_none()
    }
}

pub async fn run(settings: &Settings, arguments: Arguments) -> Result<(), CommandError> {
    let Arguments { name, project, expires_at, issuing } = arguments;
    if issuing.is_empty() {
        let mut request = CreateApiKey::named(name);
        request.project_reference = project;
        request.expires_at = expires_at;
        let authority = settings.authority_or_new().await?;
        let created = authority.create_api_key(&settings.caller(), request).await?;
        return show::created(settings, &authority, &created).await;
    }
    let mut request = IssueApiKey::named(name);
    request.project_reference = project;
    request.expires_at = expires_at;
    request.owner = issuing.owner;
    request.scopes = (issuing.no_scopes || !issuing.scopes.is_empty()).then_some(issuing.scopes);
    request.metadata = issuing.metadata.map(metadata).transpose()?;
    request.rate_limit = issuing.limit;
    request.idempotency_key = issuing.idempotency_key;
    let is_repeatable = request.idempotency_key.is_some();
    let authority = settings.authority_or_new().await?;
    let issued = authority.issue_api_key(&settings.caller(), request).await;
    let issued = issued.map_err(|error| CommandError::from(error).or_if_forbidden(CommandError::OtherOwner))?;
    show::issued(settings, &authority, &issued, is_repeatable).await
}
