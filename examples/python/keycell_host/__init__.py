"""A host of keycell.wasm: the component decides, this package moves data."""
