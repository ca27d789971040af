//! Ciphertext in, plaintext out.
