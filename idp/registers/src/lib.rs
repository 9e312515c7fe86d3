//! Counterparts of identity: the population register and the face comparison, over their wire formats.
