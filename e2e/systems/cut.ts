/** A wire that breaks: passes TCP on, until so many pieces have gone from the client to the server; from then on nobody gets through. */

import { connect, createServer, type Server, type Socket } from 'node:net';

export class Cut {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #left: number;
  readonly port: number;

  private constructor(server: Server, port: number, left: number) {
    this.#server = server;
    this.port = port;
    this.#left = left;
  }

  /** `last`: whether the piece at which it breaks still arrives; its answer never does. */
  static async open(to: number, pieces: number, last: 'arrives' | 'is lost'): Promise<Cut> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const cut = new Cut(server, typeof address === 'object' && address !== null ? address.port : 0, pieces);
    server.on('connection', (client) => cut.#pass(client, to, last));
    return cut;
  }

  get broken(): boolean {
    return this.#left <= 0;
  }

  #pass(client: Socket, to: number, last: 'arrives' | 'is lost'): void {
    if (this.broken) {
      client.destroy();
      return;
    }
    const server = connect(to, '127.0.0.1');
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
    client.on('data', (piece) => {
      if (this.broken) return;
      this.#left--;
      if (!this.broken) server.write(piece);
      else if (last === 'arrives') server.end(piece, () => this.#break());
      else this.#break();
    });
    server.on('data', (piece) => {
      if (!this.broken) client.write(piece);
    });
  }

  #break(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async close(): Promise<void> {
    this.#left = 0;
    this.#break();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
