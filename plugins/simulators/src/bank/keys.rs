//! Keys of the gateway and of its customer. Like a gateway's test environment, the bank hands the
//! merchant a key pair; both are made in its own directory, once.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};

/// Both private keys, PKCS#8 DER.
pub struct Keys {
    /// The merchant signs orders with it.
    pub merchant: Vec<u8>,
    /// The gateway signs notices and answers with it.
    pub gateway: Vec<u8>,
}

fn read_or_make(path: &Path) -> io::Result<Vec<u8>> {
    if let Ok(bytes) = fs::read(path) {
        return Ok(bytes);
    }
    let refused = |_| io::Error::other("a key cannot be made");
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(refused)?;
    let der = pair.as_der().map_err(refused)?;
    let draft = path.with_extension(format!("draft-{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    // A private key is its owner's alone.
    let open = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = open.open(&draft)?;
    file.write_all(der.as_ref())?;
    file.sync_all()?;
    // The first of two processes wins; the link either is the whole key or fails.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => Err(cause),
        _ => fs::read(path),
    }
}

fn public(private: &[u8]) -> io::Result<Vec<u8>> {
    let pair = RsaKeyPair::from_pkcs8(private).map_err(io::Error::other)?;
    Ok(pair.public_key().as_ref().to_vec())
}

impl Keys {
    /// Reads `merchant.key` and `gateway.key` in the bank's directory, making what is missing.
    ///
    /// # Errors
    /// As the file system says.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        Ok(Self {
            merchant: read_or_make(&dir.join("merchant.key"))?,
            gateway: read_or_make(&dir.join("gateway.key"))?,
        })
    }

    /// The gateway's public key, DER.
    ///
    /// # Errors
    /// [`io::ErrorKind::Other`] if the file is no key.
    pub fn gateway_public(&self) -> io::Result<Vec<u8>> {
        public(&self.gateway)
    }

    /// The merchant's public key, DER.
    ///
    /// # Errors
    /// [`io::ErrorKind::Other`] if the file is no key.
    pub fn merchant_public(&self) -> io::Result<Vec<u8>> {
        public(&self.merchant)
    }
}
