"""The bounds of an in-process call, the same as those of our channels and servers over TCP."""

# Largest message either way, in bytes.
MAX_MESSAGE_BYTES = 4 * 1024 * 1024

# A writer ahead of its reader waits from here on, whichever comes first; one message is always let through.
MAX_QUEUED_MESSAGES = 64
MAX_QUEUED_BYTES = 64 * 1024

# Largest metadata of one direction, in bytes of keys and values.
MAX_METADATA_BYTES = 16 * 1024
