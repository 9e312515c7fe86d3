//! What the specifications say: pure rules of OAuth and OpenID Connect, and JOSE.
