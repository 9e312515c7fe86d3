//! Statements: named, fixed texts that a test can find and prepare on both engines.

use std::sync::{Arc, OnceLock};

/// One SQL text. Made by [`statement!`] only, so that none escapes the test.
#[derive(Debug)]
pub struct Statement {
    /// Name for spans and errors.
    pub name: &'static str,
    /// Text with `$1`, `$2`, … in order.
    pub sql: &'static str,
    /// Another text for PostgreSQL, where one text cannot serve both; the reason stands beside it.
    pub postgres: Option<&'static str>,
    /// Text for PostgreSQL that does it for several requests at once: `$1`, `$2`, … are arrays of
    /// their arguments, and the first column of each row says whose it is, counted from 1 (the
    /// ordinality of `unnest`). A statement that reads goes on with its own columns; one that
    /// writes gives a row for each that it touched.
    pub together: Option<&'static str>,
    /// What is worked out once a process.
    #[doc(hidden)]
    pub known: Known,
}

/// What a statement's text says about itself, worked out at its first use.
#[derive(Debug)]
pub struct Known {
    sqlite: OnceLock<String>,
    columns: OnceLock<Arc<[String]>>,
}

impl Known {
    /// Nothing yet.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { sqlite: OnceLock::new(), columns: OnceLock::new() }
    }
}

impl Statement {
    /// The text for SQLite, to which `$1` is a named parameter, numbered by its first appearance;
    /// `?1` is the first.
    #[must_use]
    pub fn for_sqlite(&self) -> &str {
        self.known.sqlite.get_or_init(|| self.sql.replace('$', "?"))
    }

    /// The names of the answer's columns, which are the text's and therefore always the same.
    pub(crate) fn columns<'n, I, N>(&self, names: impl FnOnce() -> I) -> Arc<[String]>
    where
        I: IntoIterator<Item = N>,
        N: Into<&'n str>,
    {
        let known = || names().into_iter().map(|name| name.into().to_owned()).collect();
        self.known.columns.get_or_init(known).clone()
    }

    /// The text for PostgreSQL.
    #[must_use]
    pub fn for_postgres(&self) -> &'static str {
        self.postgres.unwrap_or(self.sql)
    }
}

/// All statements of the program.
#[allow(unsafe_code)] // A link section; linkme answers for it.
#[linkme::distributed_slice]
pub static STATEMENTS: [&'static Statement];

/// Declares a static [`Statement`] and registers it: `statement!(FIND, "select …");`, with a text for
/// PostgreSQL where the engines must differ (`postgres:`), and one for [`Db::ask`](crate::Db::ask)
/// and [`Db::once`](crate::Db::once) (`together:`).
#[macro_export]
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident, $sql:expr) => {
        $crate::statement!(
            @ $(#[$doc])* $name, $sql, ::core::option::Option::None, ::core::option::Option::None
        );
    };
    ($(#[$doc:meta])* $name:ident, $sql:expr, postgres: $postgres:expr) => {
        $crate::statement!(
            @ $(#[$doc])* $name, $sql, ::core::option::Option::Some($postgres),
            ::core::option::Option::None
        );
    };
    ($(#[$doc:meta])* $name:ident, $sql:expr, together: $together:expr) => {
        $crate::statement!(
            @ $(#[$doc])* $name, $sql, ::core::option::Option::None,
            ::core::option::Option::Some($together)
        );
    };
    (@ $(#[$doc:meta])* $name:ident, $sql:expr, $postgres:expr, $together:expr) => {
        $(#[$doc])*
        static $name: $crate::Statement = $crate::Statement {
            name: concat!(module_path!(), "::", stringify!($name)),
            sql: $sql,
            postgres: $postgres,
            together: $together,
            known: $crate::statement::Known::nothing(),
        };
        #[allow(unsafe_code)] // A link section; linkme answers for it.
        const _: () = {
            #[$crate::linkme::distributed_slice($crate::statement::STATEMENTS)]
            #[linkme(crate = $crate::linkme)]
            static REGISTERED: &$crate::Statement = &$name;
        };
    };
}
