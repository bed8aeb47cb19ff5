"""Service actions of a published month: service measures decide them, the outbox holds them until they are done."""
