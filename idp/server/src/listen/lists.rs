//! The revocation lists of the authorities that vouch for client certificates (RFC 5280 §5).

use std::path::PathBuf;

use idp_protocol::certificate::{NoList, Withdrawn};

use crate::config::{ConfigError, Tls};

pub(super) fn unusable(_: NoList) -> ConfigError {
    ConfigError::new(
        "`tls.client_crl` holds no revocation list that can be used.",
        "PEM: lists of version 2 with a next update, no deltas, one for each authority",
    )
}

/// The file of the lists, and what was read of it last.
#[derive(Debug)]
pub struct Lists {
    file: PathBuf,
    text: String,
    withdrawn: Withdrawn,
}

impl Lists {
    /// Of `[tls]`; none where no file is named. `withdrawn` is what it says now.
    #[must_use]
    pub fn of(config: &Tls, withdrawn: &Withdrawn) -> Option<Self> {
        let file = config.client_crl_file.clone();
        let (text, withdrawn) = (config.client_crl.clone(), withdrawn.clone());
        (file != PathBuf::new()).then_some(Self { file, text, withdrawn })
    }

    /// Reads the file again; whether there was something new.
    ///
    /// # Errors
    /// A sentence and a hint; what was there before stays in use, until it is out of date.
    pub fn reload(&mut self) -> Result<bool, ConfigError> {
        let text = super::tls::text(&self.file)?.trim().to_owned();
        if self.text == text {
            return Ok(false);
        }
        self.withdrawn.replace(&text).map_err(unusable)?;
        self.text = text;
        Ok(true)
    }
}
