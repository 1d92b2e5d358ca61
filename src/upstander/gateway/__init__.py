"""The gateway: events in over HTTP and WebSocket, decisions out; keys; hold; metrics."""
