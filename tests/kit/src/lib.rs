//! Builders over which the stories are told: a deployment, a browser without JavaScript, a relying party, a virtual clock.
