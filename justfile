# The tasks of `cargo xtask` as recipes for just.

# Sets up, builds, and shows a key's life in a real database
demo:
    cargo xtask demo

# Sets up, then runs every test
test:
    cargo xtask test

# Runs the benchmarks and prints their ratios
bench *args:
    cargo xtask bench {{args}}

# Formats the code
fmt:
    cargo fmt --all

# Checks formatting, lints, documentation and dependencies
lint:
    cargo xtask lint

# Builds the component and writes it to dist/keycell.wasm
component:
    cargo xtask component

# Writes the component that has its storage in a key-value store to dist/keycell-keyvalue.wasm
compose:
    cargo xtask compose

# Writes the packages to publish to target/package, and builds them from their archives
package:
    cargo xtask package
