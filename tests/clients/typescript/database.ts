// Changes of the database that no tool can make.

import { DatabaseSync } from "@photostructure/sqlite";

import type { Keycell } from "./keycell.ts";

/** Stores these scopes, which need not be valid. */
export function storeScopes(keycell: Keycell, keyId: string, scopes: unknown[]): void {
  const database = new DatabaseSync(keycell.database);
  database.prepare("UPDATE api_keys SET scopes = ? WHERE id = ?").run(JSON.stringify(scopes), keyId);
  database.close();
}

/** Locks the database against other writers. */
export async function locked(keycell: Keycell, work: () => Promise<void>): Promise<void> {
  const database = new DatabaseSync(keycell.database);
  database.exec("BEGIN EXCLUSIVE");
  try {
    await work();
  } finally {
    database.close();
  }
}
