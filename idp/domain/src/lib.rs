//! What is true of our data: citizen, account, session, consent, client, grant, key, audit trail.
