"""The quality gate's checks: pure functions over rows. ``registry.all_checks()`` lists them, ``gate.toml`` judges them."""
