// The SDK's clients, connected to a keycell.

import { Client as NewClient, StreamableHTTPClientTransport as NewHttp } from "@modelcontextprotocol/client";
import { StdioClientTransport as NewStdio } from "@modelcontextprotocol/client/stdio";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OldStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as OldHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport as OldTransport } from "@modelcontextprotocol/sdk/shared/transport.js";

import type { Keycell } from "./keycell.ts";

const SELF = { name: "keycell-clients", version: "0.1.0" };

/** The SDK's first generation uses the handshake, its second one does not. */
export const REVISIONS = ["2025-11-25", "2026-07-28"] as const;
export type Revision = (typeof REVISIONS)[number];

export const TRANSPORTS = ["stdio", "http"] as const;
export type Transport = (typeof TRANSPORTS)[number];

export interface Connected {
  client: OldClient | NewClient;
  /** The revision that client and server agreed on. */
  revision: string | undefined;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A response to an HTTP client. */
export interface Answer {
  status: number;
  challenge: string | null;
}

/** Connects as ann, on standard input and output. */
export function overStdio(revision: Revision, command: { command: string; args: string[] }): Promise<Connected> {
  return revision === "2025-11-25" ? connectOld(new OldStdio(command)) : connectNew(new NewStdio(command));
}

/** Connects as the bearer of a key. `answers` receives every response. */
export function overHttp(revision: Revision, url: URL, key?: string, answers: Answer[] = []): Promise<Connected> {
  const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};
  const options = {
    requestInit: { headers },
    fetch: async (input: string | URL, init?: RequestInit): Promise<Response> => {
      const answer = await fetch(input, init);
      answers.push({ status: answer.status, challenge: answer.headers.get("www-authenticate") });
      return answer;
    },
  };
  return revision === "2025-11-25" ? connectOld(new OldHttp(url, options)) : connectNew(new NewHttp(url, options));
}

/** Connects as ann over a transport, to a server with these options. */
export async function connect(
  keycell: Keycell,
  transport: Transport,
  revision: Revision,
  options: string[] = [],
): Promise<Connected> {
  if (transport === "stdio") return overStdio(revision, keycell.command(["mcp", ...options]));
  const scopes = ["read", "verify", "write"].flatMap((scope) => ["--scope", `api-keys:${scope}`]);
  const { key } = await keycell.create("bearer", scopes);
  const server = await keycell.serve(options);
  const stop = () => server[Symbol.asyncDispose]();
  try {
    const connected = await overHttp(revision, server.url, key);
    return { ...connected, [Symbol.asyncDispose]: () => connected[Symbol.asyncDispose]().finally(stop) };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function connectOld(transport: OldStdio | OldHttp): Promise<Connected> {
  const client = new OldClient(SELF);
  // The client reports the negotiated revision to its transport only.
  const observed: OldTransport = transport;
  const report = observed.setProtocolVersion?.bind(transport);
  let revision: string | undefined;
  observed.setProtocolVersion = (version) => {
    revision = version;
    report?.(version);
  };
  await client.connect(observed);
  return { client, revision, [Symbol.asyncDispose]: () => client.close() };
}

async function connectNew(transport: NewStdio | NewHttp): Promise<Connected> {
  const client = new NewClient(SELF, { versionNegotiation: { mode: "auto" } });
  await client.connect(transport);
  return { client, revision: client.getNegotiatedProtocolVersion(), [Symbol.asyncDispose]: () => client.close() };
}
