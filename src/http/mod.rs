//! Just enough HTTP and WebSocket for the front door.
