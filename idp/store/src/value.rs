//! Arguments of statements: text, integers and bytes, each possibly absent. Absence keeps its
//! kind, because PostgreSQL types its parameters.

/// One bound argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text or null.
    Text(Option<String>),
    /// A 64-bit integer or null; booleans are 0 and 1.
    Int(Option<i64>),
    /// Bytes or null.
    Blob(Option<Vec<u8>>),
}

macro_rules! from {
    ($($type:ty, $arm:ident, $value:ident => $convert:expr;)*) => {$(
        impl From<$type> for Value {
            fn from($value: $type) -> Self {
                Self::$arm(Some($convert))
            }
        }
        impl From<Option<$type>> for Value {
            fn from(value: Option<$type>) -> Self {
                Self::$arm(value.map(|$value| $convert))
            }
        }
    )*};
}

from! {
    &str, Text, value => value.to_owned();
    String, Text, value => value;
    &String, Text, value => value.clone();
    i64, Int, value => value;
    i32, Int, value => i64::from(value);
    u32, Int, value => i64::from(value);
    u8, Int, value => i64::from(value);
    bool, Int, value => i64::from(value);
    Vec<u8>, Blob, value => value;
    &[u8], Blob, value => value.to_vec();
    &Vec<u8>, Blob, value => value.clone();
}

/// Arguments of a statement in the order of its placeholders: `args![id, now, name.as_deref()]`.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => {
        &[$($crate::Value::from($value)),*]
    };
}
