const MAX_ENTRIES = 100_000;

/** Rate limits of this process: for each limited key a time in microseconds, when it expires. */
export class Limits {
  private times = new Map<string, bigint>();

  readonly load = (keyId: string): bigint => this.times.get(keyId) ?? 0n;

  readonly compareAndStore = (keyId: string, expected: bigint, next: bigint): boolean => {
    if (this.load(keyId) !== expected) return false;
    if (this.times.size >= MAX_ENTRIES) {
      // Those that expire first make room, and of these the expired ones are the first.
      const latest = [...this.times].sort(([, one], [, other]) => Number(other - one));
      this.times = new Map(latest.slice(0, MAX_ENTRIES / 2));
    }
    this.times.set(keyId, next);
    return true;
  };
}
