//! `keycell-compose KEYCELL OUTPUT`: writes the composed component of `KEYCELL` to `OUTPUT`.

#![forbid(unsafe_code)]

use std::{env, fs};

use anyhow::{Context, Result, bail};

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [keycell, output] = arguments.as_slice() else {
        bail!("usage: keycell-compose KEYCELL OUTPUT");
    };
    let keycell = fs::read(keycell).with_context(|| keycell.display().to_string())?;
    fs::write(output, keycell_compose::compose(&keycell)?).with_context(|| output.display().to_string())
}
