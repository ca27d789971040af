//! Linux sockets by io_uring.
