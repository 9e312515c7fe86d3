//! One row of an answer, read by column name.

use std::sync::Arc;

use crate::{StoreError, Value};

/// A row; columns are shared by all rows of an answer.
#[derive(Debug, Clone)]
pub struct Row {
    pub(crate) columns: Arc<[String]>,
    pub(crate) values: Vec<Value>,
}

impl Row {
    fn value(&self, column: &str) -> Result<&Value, StoreError> {
        self.columns
            .iter()
            .position(|name| name == column)
            .and_then(|index| self.values.get(index))
            .ok_or_else(|| StoreError::Data(format!("no column {column}")))
    }

    fn wrong<T>(column: &str) -> Result<T, StoreError> {
        Err(StoreError::Data(format!("column {column} is of another kind or null")))
    }

    /// Text, or none for null.
    ///
    /// # Errors
    /// [`StoreError::Data`] if the column is absent or of another kind.
    pub fn text_opt(&self, column: &str) -> Result<Option<String>, StoreError> {
        match self.value(column)? {
            Value::Text(value) => Ok(value.clone()),
            Value::Int(None) | Value::Blob(None) => Ok(None),
            _ => Self::wrong(column),
        }
    }

    /// An integer, or none for null.
    ///
    /// # Errors
    /// [`StoreError::Data`] if the column is absent or of another kind.
    pub fn int_opt(&self, column: &str) -> Result<Option<i64>, StoreError> {
        match self.value(column)? {
            Value::Int(value) => Ok(*value),
            Value::Text(None) | Value::Blob(None) => Ok(None),
            _ => Self::wrong(column),
        }
    }

    /// Bytes, or none for null.
    ///
    /// # Errors
    /// [`StoreError::Data`] if the column is absent or of another kind.
    pub fn blob_opt(&self, column: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self.value(column)? {
            Value::Blob(value) => Ok(value.clone()),
            Value::Text(None) | Value::Int(None) => Ok(None),
            _ => Self::wrong(column),
        }
    }

    /// Text.
    ///
    /// # Errors
    /// [`StoreError::Data`] if the column is absent, null or of another kind.
    pub fn text(&self, column: &str) -> Result<String, StoreError> {
        self.text_opt(column)?.map_or_else(|| Self::wrong(column), Ok)
    }

    /// An integer.
    ///
    /// # Errors
    /// [`StoreError::Data`] if the column is absent, null or of another kind.
    pub fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.int_opt(column)?.map_or_else(|| Self::wrong(column), Ok)
    }

    /// Bytes.
    ///
    /// # Errors
    /// [`StoreError::Data`] if the column is absent, null or of another kind.
    pub fn blob(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        self.blob_opt(column)?.map_or_else(|| Self::wrong(column), Ok)
    }

    /// Zero or one as a truth value.
    ///
    /// # Errors
    /// [`StoreError::Data`] if the column is absent, null or of another kind.
    pub fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.int(column)? != 0)
    }
}
