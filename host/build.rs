fn main() {
    let _ = wasmtime::Config::new();
    let _ = wit_component::ComponentEncoder::default();
}
