//! Pools that adapt themselves, over the scripted driver in virtual time.

mod membership;
