//! Arguments of several statements as one array a column.

use sqlx::Arguments as _;
use sqlx::postgres::PgArguments;

use super::Job;
use crate::{StoreError, Value};

/// An array of each argument.
pub(super) fn arguments(jobs: &[Job]) -> Result<PgArguments, StoreError> {
    let mut bound = PgArguments::default();
    for (index, kind) in jobs.first().map(Job::args).unwrap_or_default().iter().enumerate() {
        let column = jobs.iter().filter_map(|job| job.args().get(index));
        let added = match kind {
            Value::Text(_) => bound.add(column.map(text).collect::<Result<Vec<_>, _>>()?),
            Value::Int(_) => bound.add(column.map(int).collect::<Result<Vec<_>, _>>()?),
            Value::Blob(_) => bound.add(column.map(blob).collect::<Result<Vec<_>, _>>()?),
        };
        added.map_err(|cause| StoreError::Data(cause.to_string()))?;
    }
    Ok(bound)
}

fn text(value: &Value) -> Result<Option<&str>, StoreError> {
    if let Value::Text(text) = value { Ok(text.as_deref()) } else { Err(mixed()) }
}

fn int(value: &Value) -> Result<Option<i64>, StoreError> {
    if let Value::Int(number) = value { Ok(*number) } else { Err(mixed()) }
}

fn blob(value: &Value) -> Result<Option<&[u8]>, StoreError> {
    if let Value::Blob(bytes) = value { Ok(bytes.as_deref()) } else { Err(mixed()) }
}

fn mixed() -> StoreError {
    StoreError::Data("an argument is of another kind than its neighbours'".to_owned())
}
