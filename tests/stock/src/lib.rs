//! Relying parties that nobody here wrote, each against the real binary over https.
