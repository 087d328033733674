const MAX_ENTRIES = 100_000;

/** Rate limits of this process: one time in microseconds for each limited key. At that time the entry expires. */
export class Limits {
  private entries = new Map<string, bigint>();

  readonly load = (keyId: string): bigint => this.entries.get(keyId) ?? 0n;

  readonly compareAndStore = (keyId: string, expected: bigint, next: bigint): boolean => {
    if (this.load(keyId) !== expected) return false;
    if (this.entries.size >= MAX_ENTRIES) this.makeRoom(BigInt(Date.now()) * 1000n);
    this.entries.set(keyId, next);
    return true;
  };

  /** Drops the expired entries, and of the others those that expire first until half of the places are free. */
  private makeRoom(now: bigint): void {
    const live = [...this.entries].filter(([, time]) => time > now);
    live.sort(([, one], [, other]) => Number(other - one));
    this.entries = new Map(live.slice(0, MAX_ENTRIES / 2));
  }
}
