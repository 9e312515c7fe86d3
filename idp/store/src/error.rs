//! What can go wrong in a store, without a driver's type.

/// A failure of the database or of the data in it. The text is for the log, never for a person.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// A uniqueness constraint refused the row: somebody was first.
    #[error("a row with this key exists")]
    Conflict,
    /// The transaction lost against another, or its connection broke, and may be run again.
    #[error("the transaction was lost again and again, against others or with its connection")]
    Retry,
    /// The database cannot be reached, is full, or refused.
    #[error("the database failed: {0}")]
    Database(String),
    /// A column is not of the kind that the code expects, or a sealed value cannot be opened.
    #[error("stored data cannot be read: {0}")]
    Data(String),
    /// A schema that this program does not fit.
    #[error("the schema does not fit: {0}")]
    Schema(String),
}
