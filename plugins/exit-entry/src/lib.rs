//! Exit-entry services: passport renewal, group-travel endorsement.
