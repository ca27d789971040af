//! Starts, watches and stops the programs.
