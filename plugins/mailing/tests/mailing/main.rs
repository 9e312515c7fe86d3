//! The adapters of mail against the simulators, over sockets.

mod sms;
