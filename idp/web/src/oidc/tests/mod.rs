//! The endpoints over the real router and a real database, with a virtual clock.

mod attacks;
mod backchannel;
mod certificates;
mod client_keys;
mod codes;
mod cookies;
mod devices;
mod dpop;
mod fapi2;
mod floods;
mod flows;
mod front;
mod house;
mod logout;
mod machine;
mod notices;
mod prompts;
mod pushed;
mod referred;
mod refreshing;
mod registering;
mod sealed;
mod sessions;
mod shown;
mod site;
mod targets;
