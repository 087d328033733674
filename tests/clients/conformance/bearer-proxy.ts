// The suite cannot present a key. This proxy adds one to each request and changes nothing else: the
// server checks the `Host` and `Origin` of the suite.

import { once } from "node:events";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";

export class BearerProxy implements AsyncDisposable {
  private constructor(private readonly server: Server) {}

  static async listen(target: URL, key: string): Promise<BearerProxy> {
    const server = createServer((incoming, outgoing) => {
      const { method, url, headers } = incoming;
      const authorization = `Bearer ${key}`;
      const forwarded = request(new URL(url ?? "/", target), { method, headers: { ...headers, authorization } });
      forwarded.on("response", (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      forwarded.on("error", () => outgoing.destroy());
      incoming.pipe(forwarded);
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    return new BearerProxy(server);
  }

  get url(): URL {
    const { port } = this.server.address() as AddressInfo;
    return new URL(`http://127.0.0.1:${port}/mcp`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.closeAllConnections();
    await once(this.server.close(), "close");
  }
}
