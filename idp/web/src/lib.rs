//! Requests and pages of the identity half.
