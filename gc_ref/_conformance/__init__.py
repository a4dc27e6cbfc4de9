"""The kit behind `gc_ref.conformance`: rooms, each of which imports only those before it."""
