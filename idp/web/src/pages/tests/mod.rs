//! The pages through the router, on both engines, with a virtual clock and counterparts in memory.

mod account;
mod enumeration;
mod flows;
mod locales;
mod recovery;
mod registration;
mod rough;
mod signin;
mod site;
