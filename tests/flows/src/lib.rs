//! Stories told over the kit, on both databases.
