//! Fuzz oracles for every decoder
