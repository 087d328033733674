// esbuild's binary loader puts the bytes into the bundle.
declare module '*.wasm' { const bytes: Uint8Array<ArrayBuffer>; export default bytes; }
