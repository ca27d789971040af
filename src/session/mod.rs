//! One support session: its state, consent and who may do what.
