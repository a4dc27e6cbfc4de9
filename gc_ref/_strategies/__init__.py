"""What the strategies of `gc_ref.strategies` are drawn from."""
