//! SQL of the identity half, and the engine-neutral Db and Tx that both halves use.
