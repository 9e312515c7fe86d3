//! The unit of work: from an event on a case to one commit, and the worker that carries its outbox.
