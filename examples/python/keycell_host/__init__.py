"""A host of keycell.wasm: the component decides, this package gives it what it may reach."""
