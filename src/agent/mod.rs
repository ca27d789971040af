//! What both remote programs share.
