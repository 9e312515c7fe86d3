//! Statements: named, fixed texts that a test can find and prepare on both engines.

/// One SQL text. Made by [`statement!`] only, so that none escapes the test.
#[derive(Debug)]
pub struct Statement {
    /// Name for spans and errors.
    pub name: &'static str,
    /// Text with `$1`, `$2`, … in order.
    pub sql: &'static str,
    /// Another text for PostgreSQL, where one text cannot serve both; the reason stands beside it.
    pub postgres: Option<&'static str>,
}

impl Statement {
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

/// Declares a static [`Statement`] and registers it: `statement!(FIND, "select …");`, with a third
/// text for PostgreSQL where the engines must differ.
#[macro_export]
macro_rules! statement {
    ($(#[$doc:meta])* $name:ident, $sql:expr) => {
        $crate::statement!(@ $(#[$doc])* $name, $sql, ::core::option::Option::None);
    };
    ($(#[$doc:meta])* $name:ident, $sql:expr, postgres: $postgres:expr) => {
        $crate::statement!(@ $(#[$doc])* $name, $sql, ::core::option::Option::Some($postgres));
    };
    (@ $(#[$doc:meta])* $name:ident, $sql:expr, $postgres:expr) => {
        $(#[$doc])*
        static $name: $crate::Statement = $crate::Statement {
            name: concat!(module_path!(), "::", stringify!($name)),
            sql: $sql,
            postgres: $postgres,
        };
        #[allow(unsafe_code)] // A link section; linkme answers for it.
        const _: () = {
            #[$crate::linkme::distributed_slice($crate::statement::STATEMENTS)]
            #[linkme(crate = $crate::linkme)]
            static REGISTERED: &$crate::Statement = &$name;
        };
    };
}
