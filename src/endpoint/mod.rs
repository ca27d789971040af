//! The customer client.
