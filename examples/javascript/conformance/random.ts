/** A stream of bytes that every language can make: xorshift32, the low byte of each state. */
export function xorshift32(seed: number): (length: bigint) => Uint8Array {
  let state = seed;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state & 0xff;
  };
  return (length) => Uint8Array.from({ length: Number(length) }, next);
}
