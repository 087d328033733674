// The database behind the server's back: for what no call of a tool can bring about.

import { DatabaseSync } from "@photostructure/sqlite";

import type { Keycell } from "./keycell.ts";

/** The command gives every key all scopes, so a key with others has to be edited. */
export function storeScopes(keycell: Keycell, keyId: string, scopes: unknown[]): void {
  const database = new DatabaseSync(keycell.database);
  database.prepare("UPDATE api_keys SET scopes = ? WHERE id = ?").run(JSON.stringify(scopes), keyId);
  database.close();
}

/** Nobody else writes meanwhile. */
export async function locked(keycell: Keycell, work: () => Promise<void>): Promise<void> {
  const database = new DatabaseSync(keycell.database);
  database.exec("BEGIN EXCLUSIVE");
  try {
    await work();
  } finally {
    database.close();
  }
}
