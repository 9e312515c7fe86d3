//! What the identity half asks of the outside: the population register and the face comparison.
//! `idp/registers` implements these over their wire formats; tests implement them in memory.

use super::evidence::Evidence;
use super::name::PersonName;
use super::number::ResidentNumber;
use async_trait::async_trait;

/// What the population register says of a person and their evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// Name, number and every evidence given belong to one living person.
    Match(RegisterFacts),
    /// The number exists, but the name or an evidence does not belong to it.
    NoMatch,
    /// The register knows no such number.
    NotFound,
    /// The person has died; no account may be opened or kept open.
    Deceased,
}

/// What the register adds about a person that it has matched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegisterFacts {
    /// Registered address (户籍地址), when the register releases it.
    pub address: Option<String>,
}

/// The counterpart gave no answer that can be used: down, too slow, or nonsense. Nothing is
/// known about the person; the question may be asked again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the counterpart gave no usable answer: {reason}\nhint: try again later, or look at the counterpart's journal"
)]
pub struct Unavailable {
    /// Why, for the operator's log; holds no personal value.
    pub reason: String,
}

/// The population register (人口库).
#[async_trait]
pub trait Register: Send + Sync {
    /// Compares name and number, and every further evidence, with the register
    /// (domain.md §3: the number always, and two more kinds of evidence; the phone is ours).
    /// The adapter bounds the wait itself: a slow register is [`Unavailable`].
    async fn match_person(
        &self,
        name: &PersonName,
        number: &ResidentNumber,
        evidence: &[Evidence],
    ) -> Result<Match, Unavailable>;
}

/// What a face check is asked with.
#[derive(Clone)]
pub struct FaceRequest {
    /// Our key of this check; asking again with it creates no second check.
    pub reference: String,
    /// Name of the person whose photo is compared.
    pub name: String,
    /// Number of the person whose photo is compared.
    pub number: String,
    /// Where the counterpart sends the browser back to (an address below our issuer).
    pub return_url: String,
}

/// A check that the counterpart has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaceCreated {
    /// The counterpart's id of the check.
    pub check: String,
    /// The page that the browser is sent to.
    pub page: String,
}

/// How a face check stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaceResult {
    /// The person has not finished.
    Pending,
    /// The live face equals the register's photo.
    Match,
    /// It does not.
    Mismatch,
    /// The check ran out of time or is unknown there.
    Expired,
}

/// The face comparison (实人). Its result is always asked server to server: what a browser brings
/// back is not evidence.
#[async_trait]
pub trait FaceCheck: Send + Sync {
    /// Opens a check.
    async fn create(&self, request: FaceRequest) -> Result<FaceCreated, Unavailable>;
    /// How the check stands now.
    async fn result(&self, check: &str) -> Result<FaceResult, Unavailable>;
}
